"""Adds to a Verdict what only GitHub knows: changed limits, overrides, accepted failures, drift."""

from collections.abc import Sequence
from typing import Final

from coreml_gate.config import Config
from coreml_gate.errors import GateError, GitHubError
from coreml_gate.frozen import changed
from coreml_gate.gate.config_changes import CHECK as CONFIG_CHANGES
from coreml_gate.gate.config_changes import config_changes, config_finding
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.event import Event
from coreml_gate.github.api.pull_request import Pull, may_write, read_config, read_pull, statements
from coreml_gate.github.evidence.release import last_release, record_of
from coreml_gate.github.evidence.untrusted_record import rejudge
from coreml_gate.github.judging.accepted_failures import apply_carried
from coreml_gate.github.judging.overrides import LABEL, apply_overrides, parse_overrides
from coreml_gate.github.judging.publication import PublicationTerms, attempt
from coreml_gate.record import Record
from coreml_gate.verdict import BaselineFacts, Finding, Status, Verdict, with_findings
from coreml_gate.wording import short

CHECK: Final = "creep"


def with_config_and_overrides(
    client: Client,
    verdict: Verdict,
    pull: Pull,
    terms: PublicationTerms,
    notices: list[str],
    head_sha: str,
    limits: str,
) -> Verdict:
    """The Verdict with the pull request's changes of the configuration and its overrides."""
    changes = attempt(lambda: _config_changes(client, pull, terms, head_sha, limits), notices)
    if changes is not None:
        kept = tuple(each for each in verdict.findings if each.check != CONFIG_CHANGES)
        verdict = changed(verdict, findings=(*kept, *changes))
    overridden = attempt(lambda: with_overrides(client, verdict, pull, terms), notices)
    return verdict if overridden is None else overridden


def with_overrides(client: Client, verdict: Verdict, pull: Pull, terms: PublicationTerms) -> Verdict:
    """The Verdict with the pull request's overrides."""
    overrides = parse_overrides(statements(client, pull, terms.author))
    return apply_overrides(
        verdict,
        overrides,
        lambda login: may_write(client, login),
        terms.today,
        labelled=LABEL in pull.labels,
    )


def with_queued_overrides(
    client: Client, verdict: Verdict, event: Event, terms: PublicationTerms, notices: list[str]
) -> Verdict:
    """The Verdict on a merge queue's candidate with its pull request's overrides."""
    number = event.queued
    if number is None or verdict.exit_code == 0:
        return verdict
    pull = attempt(lambda: read_pull(client, number), notices)
    if pull is None or pull.base_ref != event.base_ref:
        return verdict
    return attempt(lambda: with_overrides(client, verdict, pull, terms), notices) or verdict


def with_carried(verdict: Verdict, baseline: Record | None, terms: PublicationTerms) -> Verdict:
    """The Verdict with the failures that were accepted earlier and are in the baseline."""
    return verdict if baseline is None else apply_carried(verdict, baseline.accepted, terms.today)


def with_drift(
    client: Client,
    verdict: Verdict,
    pull: Pull,
    head: Record | None,
    terms: PublicationTerms,
    notices: list[str],
) -> Verdict:
    """The Verdict with the drift since the last release, if that comparison is on."""
    if not terms.release or head is None:
        return verdict
    found = attempt(lambda: _drift(client, verdict, pull, head, terms), notices)
    return with_findings(verdict, found or ())


def with_notes(verdict: Verdict, check: str, notes: Sequence[str]) -> Verdict:
    """The Verdict with a warning for each note on the run as a whole."""
    return with_findings(verdict, tuple(_note(check, note) for note in notes))


def _drift(
    client: Client, verdict: Verdict, pull: Pull, head: Record, terms: PublicationTerms
) -> tuple[Finding, ...]:
    release = last_release(client)
    config = read_config(client, pull.base_ref, terms.config)
    stored = record_of(client, release, terms.key, terms.workflow_path)
    return _drift_findings(config, head, stored, release.tag, verdict)


def _config_changes(
    client: Client, pull: Pull, terms: PublicationTerms, head_sha: str, limits: str
) -> tuple[Finding, ...]:
    base = _readable_config(client, pull.base_ref, terms)
    head = _readable_config(client, head_sha, terms)
    if isinstance(base, str) or isinstance(head, str):
        problem = base if isinstance(base, str) else head
        return (_note(CONFIG_CHANGES, f"the configurations of base and head cannot be compared: {problem}"),)
    finding = config_finding(config_changes(base, head), limits)
    return () if finding is None else (finding,)


def _readable_config(client: Client, reference: str, terms: PublicationTerms) -> Config | str:
    """The configuration, or what is wrong with it."""
    try:
        return read_config(client, reference, terms.config)
    except GitHubError:
        raise
    except GateError as error:
        return error.sentence


def _note(check: str, message: str) -> Finding:
    return Finding(check=check, status=Status.WARN, subject="run", message=message)


def _drift_findings(
    config: Config, head: Record, release: Record, tag: str, against_base: Verdict
) -> tuple[Finding, ...]:
    """Failures against the last release but not against the baseline, as warnings.

    They do not block, because this pull request took only the last of many steps.
    """
    facts = BaselineFacts(origin=f"release {tag}", commit=release.commit, present=True)
    since = rejudge(config, head, release, facts)
    known = {
        (name, finding.check, finding.subject)
        for name, finding in against_base.of_models
        if finding.status is Status.FAIL or finding.accepted is not None
    }
    where = f"release `{tag}`" if release.commit is None else f"release `{tag}` ({short(release.commit)})"
    return tuple(
        changed(
            finding,
            check=CHECK,
            status=Status.WARN,
            message=f"since {where}, {finding.check} of `{name}`: {finding.message}",
        )
        for name, finding in since.of_models
        if finding.status is Status.FAIL
        and finding.base is not None
        and (name, finding.check, finding.subject) not in known
    )
