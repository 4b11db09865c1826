"""Overrides: a person accepts a failure by one public line with the reason and an end date.

::

    /coreml-gate accept precision of digits until 2026-12-31: the new head is trained again in December

The line is in the pull request's description or in a comment, by an author with write permission, and the
pull request has the label ``coreml-gate: accept``. Nothing here talks to GitHub.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from coreml_gate.frozen import changed
from coreml_gate.github.api.pull_request import Statement
from coreml_gate.verdict import (
    FAIL_EXIT_CODE,
    Acceptance,
    Finding,
    ModelVerdict,
    Status,
    Verdict,
    with_findings,
)

CHECK: Final = "override"
LABEL: Final = "coreml-gate: accept"
FORM: Final = "/coreml-gate accept CHECK of MODEL until YYYY-MM-DD: reason"
LONGEST: Final = timedelta(days=366)
MAX_STATEMENTS: Final = 50

_COMMAND: Final = "/coreml-gate"
_LINE: Final = re.compile(
    r"/coreml-gate +accept +(?P<check>[a-z][a-z0-9-]{0,39}) +of +(?P<model>[A-Za-z0-9][A-Za-z0-9._-]{0,99})"
    r" +until +(?P<until>\d{4}-\d{2}-\d{2}): *(?P<reason>\S.{0,399})"
)


@dataclass(frozen=True)
class Override:
    """One line that accepts a failure; ``problem`` says why it does not count."""

    author: str
    line: str
    check: str = ""
    model: str = ""
    until: date = date.min
    reason: str = ""
    problem: str = ""


def parse_overrides(statements: Iterable[Statement]) -> tuple[Override, ...]:
    """Every line that begins with ``/coreml-gate``, in order."""
    lines = (
        (statement.author, line.strip())
        for statement in statements
        for line in statement.text.splitlines()
        if line.startswith(_COMMAND)
    )
    return tuple(_parse(author, line) for author, line in lines)[:MAX_STATEMENTS]


def apply_overrides(
    verdict: Verdict,
    overrides: Sequence[Override],
    may_write: Callable[[str], bool],
    today: date,
    *,
    labelled: bool,
) -> Verdict:
    """The Verdict with accepted failures as warnings, and a finding for every line that does not count.

    Only failures of checks can be accepted. A model that could not be measured stays blocked, because there
    may be unknown failures.
    """
    judged = [_examined(each, verdict, may_write, today, labelled=labelled) for each in overrides]
    ignored = tuple(_ignored(each) for each in judged if each.problem)
    return with_findings(accept(verdict, [each for each in judged if not each.problem]), ignored)


def accept(
    verdict: Verdict, overrides: Sequence[Override], applies: Callable[[Finding], bool] = lambda _: True
) -> Verdict:
    """The Verdict with the failures that these overrides apply to as warnings."""
    return changed(verdict, models=tuple(_accepted(model, overrides, applies) for model in verdict.models))


def _parse(author: str, line: str) -> Override:
    match = _LINE.fullmatch(line)
    if match is None:
        return Override(author, line, problem=f"it is not of the form `{FORM}`")
    try:
        until = date.fromisoformat(match["until"])
    except ValueError:
        return Override(author, line, problem=f"`{match['until']}` is not a date")
    return Override(author, line, match["check"], match["model"], until, match["reason"].strip())


def _examined(
    override: Override, verdict: Verdict, may_write: Callable[[str], bool], today: date, *, labelled: bool
) -> Override:
    problems = _problems(override, verdict, may_write, today, labelled=labelled)
    problem = next(problems, "")
    return replace(override, problem=problem)


def _problems(
    override: Override, verdict: Verdict, may_write: Callable[[str], bool], today: date, *, labelled: bool
) -> Iterator[str]:
    """Reasons why the line does not count, as far as known without a request to GitHub."""
    if override.problem:
        yield override.problem
    if override.until < today:
        yield f"it expired on {override.until}"
    if override.until > today + LONGEST:
        yield f"it would be valid for more than {LONGEST.days} days"
    if not _failures(override, verdict):
        yield f"`{override.check}` of `{override.model}` does not fail"
    if not labelled:
        yield f"the pull request lacks the label `{LABEL}`"
    if not may_write(override.author):
        yield f"`{override.author}` has no write permission"


def _failures(override: Override, verdict: Verdict) -> list[Finding]:
    return [
        finding
        for model in verdict.models
        if model.name == override.model and model.exit_code <= FAIL_EXIT_CODE
        for finding in model.of(override.check)
        if finding.status in model.blocking
    ]


def _accepted(
    model: ModelVerdict, overrides: Sequence[Override], applies: Callable[[Finding], bool]
) -> ModelVerdict:
    """The model with the last override for each check applied."""
    by_check = {each.check: each for each in overrides if each.model == model.name}
    if not by_check:
        return model
    findings = tuple(
        _accept(finding, by_check[finding.check])
        if finding.status in model.blocking and finding.check in by_check and applies(finding)
        else finding
        for finding in model.findings
    )
    return changed(model, findings=findings)


def _accept(finding: Finding, override: Override) -> Finding:
    until = override.until.isoformat()
    words = f"Accepted by `{override.author}` until {until}: {override.reason.rstrip('.')}."
    return changed(
        finding,
        status=Status.WARN,
        message=f"{finding.message} {words}",
        accepted=Acceptance(by=override.author, until=until, reason=override.reason),
    )


def _ignored(override: Override) -> Finding:
    return Finding(
        check=CHECK,
        status=Status.WARN,
        subject=override.model or "override",
        message=f"the override of `{override.author}` is not valid: {override.problem}.",
        hint=f"write `{FORM}`, and add the label `{LABEL}`.",
        details=(override.line,),
    )
