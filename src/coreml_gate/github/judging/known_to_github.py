"""A Verdict with what only GitHub knows: changed limits, overrides, carried failures, drift."""

from collections.abc import Sequence

from coreml_gate.config import Config
from coreml_gate.errors import GateError, GitHubError
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.event import Event
from coreml_gate.github.api.pull_request import Pull, may_write, read_config, read_pull, statements
from coreml_gate.github.evidence.release import last_release, record_of
from coreml_gate.github.judging.accepted_failures import apply_carried
from coreml_gate.github.judging.config_changes import CHECK as CONFIG_CHANGES
from coreml_gate.github.judging.config_changes import config_changes, config_finding
from coreml_gate.github.judging.drift_since_release import drift_findings
from coreml_gate.github.judging.overrides import LABEL, apply_overrides, parse_overrides
from coreml_gate.github.judging.publication import PublicationTerms, attempt
from coreml_gate.record import Record
from coreml_gate.verdict import Finding, Status, Verdict, with_findings


def with_config_and_overrides(
    client: Client,
    verdict: Verdict,
    pull: Pull,
    terms: PublicationTerms,
    notices: list[str],
    head_sha: str,
    limits: str,
) -> Verdict:
    """The Verdict with what the pull request changes in the configuration, and with its overrides."""
    changes = attempt(lambda: _config_changes(client, pull, terms, head_sha, limits), notices)
    verdict = with_findings(verdict, changes or ())
    overridden = attempt(lambda: with_overrides(client, verdict, pull, terms), notices)
    return verdict if overridden is None else overridden


def with_overrides(client: Client, verdict: Verdict, pull: Pull, terms: PublicationTerms) -> Verdict:
    """The Verdict with the failures that were accepted on the pull request."""
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
    """A merge queue's candidate with the failures that its pull request accepted."""
    number = event.queued
    if number is None or verdict.exit_code == 0:
        return verdict
    pull = attempt(lambda: read_pull(client, number), notices)
    if pull is None or pull.base_ref != event.base_ref:
        return verdict
    return attempt(lambda: with_overrides(client, verdict, pull, terms), notices) or verdict


def with_carried(verdict: Verdict, baseline: Record | None, terms: PublicationTerms) -> Verdict:
    """The Verdict with the failures that the baseline may go on having."""
    return verdict if baseline is None else apply_carried(verdict, baseline.accepted, terms.today)


def with_drift(
    client: Client,
    verdict: Verdict,
    pull: Pull,
    head: Record | None,
    terms: PublicationTerms,
    notices: list[str],
) -> Verdict:
    """The Verdict with what many small steps add up to since the last release, if that is compared with."""
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
    return drift_findings(config, head, stored, release.tag, verdict)


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
