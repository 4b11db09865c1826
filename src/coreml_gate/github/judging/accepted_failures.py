"""Keeps failures in the baseline that were accepted in a merged pull request.

Without this, a model that may violate an absolute limit until December would block everyone who touches it
after the merge. A failure is kept as it was merged: one that has become worse must be accepted again.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from functools import partial
from itertools import islice
from typing import Final

from coreml_gate.github.api.client import Client, requesting
from coreml_gate.github.api.pull_request import READ, Pull, may_write, read_pull, statements
from coreml_gate.github.judging.overrides import LABEL, LONGEST, Override, accept, parse_overrides
from coreml_gate.record import AcceptedFailure
from coreml_gate.verdict import Finding, Verdict

MAX_PULLS: Final = 20
"""Most merged pull requests with the label that are read, last changed first; each costs three requests."""
GROWTH: Final = 1.01
"""How much farther from its limit a failure may be than the baseline's, for rounding."""


def accepted_failures(
    client: Client, branch: str, own_author: str, today: date
) -> tuple[AcceptedFailure, ...]:
    """Every failure accepted in a pull request merged into ``branch`` that has not expired."""
    found = (
        failure
        for pull in _merged(client, branch, today)
        for failure in _failures(client, pull, own_author, today)
    )
    return tuple({(each.model, each.check): each for each in found}.values())


def apply_carried(verdict: Verdict, carried: Sequence[AcceptedFailure], today: date) -> Verdict:
    """The Verdict with failures as warnings if the baseline has them too and they were accepted."""
    overrides = [
        Override(
            author=each.by,
            line="",
            check=each.check,
            model=each.model,
            until=each.until,
            reason=f"{each.reason.rstrip('.')} (pull request {each.pull_request})",
        )
        for each in carried
        if each.until >= today
    ]
    return accept(verdict, overrides, is_no_worse)


def is_no_worse(finding: Finding) -> bool:
    """Whether the baseline fails by at least as much; false without figures."""
    if finding.value is None or finding.base is None or finding.limit is None:
        return False
    beyond, beyond_at_base = finding.value - finding.limit, finding.base - finding.limit
    return beyond * beyond_at_base > 0 and abs(beyond) <= GROWTH * abs(beyond_at_base)


def _merged(client: Client, branch: str, today: date) -> Iterator[Pull]:
    """Merged pull requests with the label, oldest first, so that the last decision on a failure counts."""
    with requesting("merged pull requests with the label", READ):
        listed = client.repository.get_issues(
            state="closed",
            labels=[LABEL],
            since=datetime.combine(today - LONGEST, time(), UTC),
            sort="updated",
            direction="desc",
        )
        numbers = [each.number for each in islice(listed, MAX_PULLS) if each.pull_request is not None]
    pulls = map(partial(read_pull, client), sorted(numbers))
    return (pull for pull in pulls if pull.merged and pull.base_ref == branch)


def _failures(client: Client, pull: Pull, own_author: str, today: date) -> Iterator[AcceptedFailure]:
    for each in parse_overrides(statements(client, pull, own_author)):
        if not each.problem and today <= each.until <= today + LONGEST and may_write(client, each.author):
            yield AcceptedFailure(
                model=each.model,
                check=each.check,
                by=each.author,
                until=each.until,
                reason=each.reason,
                pull_request=pull.number,
            )
