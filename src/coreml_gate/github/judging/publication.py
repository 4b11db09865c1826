"""The Verdict to publish, with all that only GitHub knows: of our own run, or of one that we do not trust."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from coreml_gate.config import Config
from coreml_gate.errors import ArtifactError, EventError, GateError, GitHubError
from coreml_gate.frozen import changed
from coreml_gate.gate.baseline import Baseline, as_baseline, no_baseline
from coreml_gate.gate.git import short
from coreml_gate.github.api.artifacts import RECORD_FILE
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.event import Event, SourceRun
from coreml_gate.github.api.pull_request import Pull, identify, may_write, read_config, read_pull, statements
from coreml_gate.github.evidence.baseline import BaselineNote, BaselineQuery, find, merge_base, read_note
from coreml_gate.github.evidence.release import last_release, record_of
from coreml_gate.github.evidence.untrusted_record import read_untrusted, rejudge
from coreml_gate.github.judging.accepted_failures import apply_carried
from coreml_gate.github.judging.config_changes import CHECK as CONFIG_CHANGES
from coreml_gate.github.judging.config_changes import config_changes, config_finding
from coreml_gate.github.judging.drift_since_release import drift_findings
from coreml_gate.github.judging.no_verdict import Ending, NoVerdict, unfinished
from coreml_gate.github.judging.overrides import LABEL, apply_overrides, parse_overrides
from coreml_gate.record import Record, read_record
from coreml_gate.report.document import read_report
from coreml_gate.verdict import Finding, Status, Verdict, with_findings

Result = TypeVar("Result")
_ENDED: Final[dict[str, Ending]] = {"cancelled": "cancelled", "timed_out": "timed_out"}
_OWN_LIMITS: Final = "Judged with the limits of the pull request itself."
_BASE_LIMITS: Final = "Judged with the limits of the base branch."


@dataclass(frozen=True)
class PublicationTerms:
    """What the workflow's author chose for a report, and the day."""

    key: str
    config: str | None
    """Path of the configuration in the repository; ``None`` looks for it at the root."""
    workflow_path: str
    """The workflow whose runs store baselines."""
    author: str
    """Whose comments are our own."""
    release: bool
    """Whether the last release is compared with as well."""
    today: date


@dataclass(frozen=True)
class Publication:
    """What is published, and where."""

    judged: Verdict | NoVerdict
    pull: Pull | None = None
    """The pull request to comment on; ``None`` where there is none, or where a newer commit is measured."""
    notices: tuple[str, ...] = ()


def own_publication(
    client: Client, event: Event, report: Path, note_folder: Path, terms: PublicationTerms
) -> Publication:
    """The Verdict that this run came to by itself, which may read more of GitHub but has to trust nobody."""
    verdict = _with_note(read_report(report), read_note(note_folder))
    verdict = _carried(verdict, _kept_record(note_folder), terms)
    if event.pull_request is None:
        return _queued_publication(client, verdict, event, terms)
    notices: list[str] = []
    verdict = changed(verdict, commit=event.head_sha)
    pull = _attempt(lambda: read_pull(client, event.pull_request or 0), notices)
    if pull is None:
        return Publication(verdict, notices=tuple(notices))
    verdict = _annotated(client, verdict, pull, terms, notices, event.head_sha, _OWN_LIMITS)
    if terms.release and (report.parent / "record.json").exists():
        head = read_record(report.parent / "record.json")
        found = _attempt(lambda: _drift(client, pull, head, verdict, terms), notices)
        verdict = with_findings(verdict, found or ())
    if pull.head_sha != event.head_sha:
        notices.append(f"no comment: pull request {pull.number} has a newer commit {short(pull.head_sha)}.")
        return Publication(verdict, notices=tuple(notices))
    return Publication(verdict, pull=pull, notices=tuple(notices))


def _queued_publication(
    client: Client, verdict: Verdict, event: Event, terms: PublicationTerms
) -> Publication:
    """A candidate of a merge queue: what its pull request accepted holds here, too."""
    notices: list[str] = []
    if event.queued is None or verdict.exit_code == 0:
        return Publication(verdict)
    pull = _attempt(lambda: read_pull(client, event.queued or 0), notices)
    if pull is None or pull.base_ref != event.base_ref:
        return Publication(verdict, notices=tuple(notices))
    overridden = _attempt(lambda: _overridden(client, verdict, pull, terms), notices)
    return Publication(overridden or verdict, notices=tuple(notices))


def reported_publication(client: Client, run: SourceRun, terms: PublicationTerms) -> Publication:
    """The Verdict on an untrusted run: its numbers, the base branch's limits, GitHub's word for the rest."""
    _require_own_workflow(run, terms.workflow_path)
    identified = identify(client, run)
    if identified.pull is None:
        why = NoVerdict("failure", "not reported", f"{identified.reason}.")
        return Publication(why, notices=(identified.reason,))
    pull = identified.pull
    config = read_config(client, pull.base_ref, terms.config)
    try:
        merged = read_untrusted(client, run, terms.key)
    except ArtifactError as error:
        if run.conclusion not in _ENDED:
            raise
        return Publication(unfinished(_ENDED[run.conclusion]), notices=(error.message,))
    notices: list[str] = []
    baseline = _stored_baseline(client, pull, run.head_sha, terms)
    verdict = rejudge(config, merged.record, baseline.record, baseline.facts)
    verdict = _carried(verdict, baseline.record, terms)
    verdict = with_findings(verdict, tuple(_note("record", note) for note in merged.notes))
    verdict = _annotated(client, verdict, pull, terms, notices, run.head_sha, _BASE_LIMITS)
    if terms.release:
        found = _attempt(lambda: _drift(client, pull, merged.record, verdict, terms), notices)
        verdict = with_findings(verdict, found or ())
    return Publication(verdict, pull=pull, notices=tuple(notices))


def _require_own_workflow(run: SourceRun, path: str) -> None:
    """A fork can bring a workflow of the same name under another path, whose runs have no baseline."""
    if run.path != path:
        raise EventError(
            f"run {run.id} is of the workflow `{run.path[:200]}`, not of `{path}`.",
            "`--workflow` must name the file that measures pull requests and stores baselines.",
        )


def _annotated(
    client: Client,
    verdict: Verdict,
    pull: Pull,
    terms: PublicationTerms,
    notices: list[str],
    head_sha: str,
    limits: str,
) -> Verdict:
    """The Verdict with what the pull request changes in the configuration, and with its overrides."""
    changes = _attempt(lambda: _config_changes(client, pull, terms, head_sha, limits), notices)
    verdict = with_findings(verdict, changes or ())
    overridden = _attempt(lambda: _overridden(client, verdict, pull, terms), notices)
    return verdict if overridden is None else overridden


def _carried(verdict: Verdict, baseline: Record | None, terms: PublicationTerms) -> Verdict:
    """The Verdict with the failures that the baseline may go on having."""
    return verdict if baseline is None else apply_carried(verdict, baseline.accepted, terms.today)


def _kept_record(folder: Path) -> Record | None:
    """The Record of the baseline that an earlier step unpacked, if there was one."""
    file = folder / RECORD_FILE
    return read_record(file) if file.exists() else None


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
        return error.message


def _overridden(client: Client, verdict: Verdict, pull: Pull, terms: PublicationTerms) -> Verdict:
    overrides = parse_overrides(statements(client, pull, terms.author))
    return apply_overrides(
        verdict,
        overrides,
        lambda login: may_write(client, login),
        terms.today,
        labelled=LABEL in pull.labels,
    )


def _stored_baseline(client: Client, pull: Pull, head_sha: str, terms: PublicationTerms) -> Baseline:
    """The merge base's Record, or an ancestor's; one that the untrusted run brought along does not count."""
    commit = merge_base(client, pull.base_ref, head_sha)
    wanted = BaselineQuery(terms.key, commit, terms.workflow_path)
    with find(client, wanted) as (stored, reasons):
        if stored is not None:
            return as_baseline(stored.record, stored.origin)
    return no_baseline(f"none: {'; '.join(reasons)}", commit)


def _drift(
    client: Client, pull: Pull, head: Record, verdict: Verdict, terms: PublicationTerms
) -> tuple[Finding, ...]:
    release = last_release(client)
    config = read_config(client, pull.base_ref, terms.config)
    stored = record_of(client, release, terms.key, terms.workflow_path)
    return drift_findings(config, head, stored, release.tag, verdict)


def _with_note(verdict: Verdict, note: BaselineNote | None) -> Verdict:
    """The Verdict with the origin of its baseline in the words of the search that found it, or did not."""
    if note is None:
        return verdict
    facts = verdict.baseline
    made = f"rebuilt from commit {short(facts.commit)}" if facts.present and facts.commit else facts.origin
    origin = f"{made}: {note.origin}" if note.source in ("rebuild", "none") else note.origin
    return changed(verdict, baseline=changed(verdict.baseline, origin=origin))


def _note(check: str, message: str) -> Finding:
    return Finding(check=check, status=Status.WARN, subject="run", message=message)


def _attempt(work: Callable[[], Result], notices: list[str]) -> Result | None:
    """What makes a report richer and is no reason to have none: a failure becomes a notice."""
    try:
        return work()
    except GateError as error:
        notices.append(str(error))
        return None
