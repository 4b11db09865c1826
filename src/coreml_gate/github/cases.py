"""The Verdict to publish, with all that only GitHub knows: of our own run, or of one that we do not trust."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal, TypeVar

from coreml_gate.config import Config
from coreml_gate.errors import ArtifactError, EventError, GateError, GitHubError
from coreml_gate.gate.baseline import Baseline, as_baseline, no_baseline
from coreml_gate.gate.git import short
from coreml_gate.github.artifacts import RECORD_FILE
from coreml_gate.github.baseline import BaselineNote, Wanted, find, merge_base, read_note
from coreml_gate.github.carried import apply_carried
from coreml_gate.github.check import Outcome, unfinished
from coreml_gate.github.client import Client
from coreml_gate.github.creep import creep_findings
from coreml_gate.github.event import Event, SourceRun
from coreml_gate.github.overrides import LABEL, apply_overrides, parse_overrides, with_findings
from coreml_gate.github.policy import CHECK as POLICY
from coreml_gate.github.policy import policy_changes, policy_finding
from coreml_gate.github.pulls import Pull, identify, may_write, read_config, read_pull, statements
from coreml_gate.github.release import last_release, record_of
from coreml_gate.github.trust import read_untrusted, rejudge
from coreml_gate.record import Record, read_record
from coreml_gate.report.document import read_report
from coreml_gate.verdict import Finding, Status, Verdict

Result = TypeVar("Result")
_ENDED: Final[dict[str, Literal["cancelled", "timed_out"]]] = {
    "cancelled": "cancelled",
    "timed_out": "timed_out",
}
_OWN_LIMITS: Final = "Judged with the limits of the pull request itself."
_BASE_LIMITS: Final = "Judged with the limits of the base branch."


@dataclass(frozen=True)
class Asked:
    """What the workflow's author chose for a report."""

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
class Case:
    """What is published, and where."""

    verdict: Verdict | None
    """``None`` where there is nothing to judge: ``outcome`` says why."""
    outcome: Outcome | None = None
    pull: Pull | None = None
    """The pull request to comment on; ``None`` where there is none, or where a newer commit is measured."""
    notices: tuple[str, ...] = ()


def own_case(client: Client, event: Event, report: Path, note_folder: Path, asked: Asked) -> Case:
    """The Verdict that this run came to by itself, which may read more of GitHub but has to trust nobody."""
    verdict = _with_note(read_report(report), read_note(note_folder))
    verdict = _carried(verdict, _kept_record(note_folder), asked)
    if event.pull_request is None:
        return _queued_case(client, verdict, event, asked)
    notices: list[str] = []
    verdict = verdict.model_copy(update={"commit": event.head_sha})
    pull = _attempt(lambda: read_pull(client, event.pull_request or 0), notices)
    if pull is None:
        return Case(verdict, notices=tuple(notices))
    verdict = _annotated(client, verdict, pull, asked, notices, event.head_sha, _OWN_LIMITS)
    if asked.release and (report.parent / "record.json").exists():
        head = read_record(report.parent / "record.json")
        found = _attempt(lambda: _creep(client, pull, head, verdict, asked), notices)
        verdict = with_findings(verdict, found or ())
    if pull.head_sha != event.head_sha:
        notices.append(f"no comment: pull request {pull.number} has a newer commit {short(pull.head_sha)}.")
        return Case(verdict, notices=tuple(notices))
    return Case(verdict, pull=pull, notices=tuple(notices))


def _queued_case(client: Client, verdict: Verdict, event: Event, asked: Asked) -> Case:
    """A candidate of a merge queue: what its pull request accepted holds here, too."""
    notices: list[str] = []
    if event.queued is None or verdict.exit_code == 0:
        return Case(verdict)
    pull = _attempt(lambda: read_pull(client, event.queued or 0), notices)
    if pull is None or pull.base_ref != event.base_ref:
        return Case(verdict, notices=tuple(notices))
    overridden = _attempt(lambda: _overridden(client, verdict, pull, asked), notices)
    return Case(overridden or verdict, notices=tuple(notices))


def reported_case(client: Client, run: SourceRun, asked: Asked) -> Case:
    """The Verdict on an untrusted run: its numbers, the base branch's limits, GitHub's word for the rest."""
    _require_own_workflow(run, asked.workflow_path)
    identified = identify(client, run.head_sha, run.head_branch)
    if identified.pull is None:
        title = "not reported"
        return Case(None, Outcome("neutral", title, f"{identified.reason}."), notices=(identified.reason,))
    pull = identified.pull
    config = read_config(client, pull.base_ref, asked.config)
    try:
        merged = read_untrusted(client, run, asked.key)
    except ArtifactError as error:
        if run.conclusion not in _ENDED:
            raise
        return Case(None, unfinished(_ENDED[run.conclusion]), notices=(error.message,))
    notices: list[str] = []
    baseline = _stored_baseline(client, pull, run.head_sha, asked)
    verdict = rejudge(config, merged.record, baseline.record, baseline.facts)
    verdict = _carried(verdict, baseline.record, asked)
    verdict = with_findings(verdict, tuple(_note("record", note) for note in merged.notes))
    verdict = _annotated(client, verdict, pull, asked, notices, run.head_sha, _BASE_LIMITS)
    if asked.release:
        found = _attempt(lambda: _creep(client, pull, merged.record, verdict, asked), notices)
        verdict = with_findings(verdict, found or ())
    return Case(verdict, pull=pull, notices=tuple(notices))


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
    asked: Asked,
    notices: list[str],
    head_sha: str,
    limits: str,
) -> Verdict:
    """The Verdict with what the pull request changes in the configuration, and with its overrides."""
    policy = _attempt(lambda: _policy(client, pull, asked, head_sha, limits), notices)
    verdict = with_findings(verdict, policy or ())
    overridden = _attempt(lambda: _overridden(client, verdict, pull, asked), notices)
    return verdict if overridden is None else overridden


def _carried(verdict: Verdict, baseline: Record | None, asked: Asked) -> Verdict:
    """The Verdict with the failures that the baseline may go on having."""
    return verdict if baseline is None else apply_carried(verdict, baseline.accepted, asked.today)


def _kept_record(folder: Path) -> Record | None:
    """The Record of the baseline that an earlier step unpacked, if there was one."""
    file = folder / RECORD_FILE
    return read_record(file) if file.exists() else None


def _policy(client: Client, pull: Pull, asked: Asked, head_sha: str, limits: str) -> tuple[Finding, ...]:
    base = _readable_config(client, pull.base_ref, asked)
    head = _readable_config(client, head_sha, asked)
    if isinstance(base, str) or isinstance(head, str):
        problem = base if isinstance(base, str) else head
        return (_note(POLICY, f"the configurations of base and head cannot be compared: {problem}"),)
    finding = policy_finding(policy_changes(base, head), limits)
    return () if finding is None else (finding,)


def _readable_config(client: Client, reference: str, asked: Asked) -> Config | str:
    """The configuration, or what is wrong with it."""
    try:
        return read_config(client, reference, asked.config)
    except GitHubError:
        raise
    except GateError as error:
        return error.message


def _overridden(client: Client, verdict: Verdict, pull: Pull, asked: Asked) -> Verdict:
    overrides = parse_overrides(statements(client, pull, asked.author))
    return apply_overrides(
        verdict,
        overrides,
        lambda login: may_write(client, login),
        asked.today,
        labelled=LABEL in pull.labels,
    )


def _stored_baseline(client: Client, pull: Pull, head_sha: str, asked: Asked) -> Baseline:
    """The merge base's Record, or an ancestor's; one that the untrusted run brought along does not count."""
    commit = merge_base(client, pull.base_ref, head_sha)
    wanted = Wanted(asked.key, commit, asked.workflow_path)
    with find(client, wanted) as (stored, reasons):
        if stored is not None:
            return as_baseline(stored.record, stored.origin)
    return no_baseline(f"none: {'; '.join(reasons)}", commit)


def _creep(client: Client, pull: Pull, head: Record, verdict: Verdict, asked: Asked) -> tuple[Finding, ...]:
    release = last_release(client)
    config = read_config(client, pull.base_ref, asked.config)
    stored = record_of(client, release, asked.key, asked.workflow_path)
    return creep_findings(config, head, stored, release.tag, verdict)


def _with_note(verdict: Verdict, note: BaselineNote | None) -> Verdict:
    """The Verdict with the origin of its baseline in the words of the search that found it, or did not."""
    if note is None:
        return verdict
    facts = verdict.baseline
    made = f"rebuilt from commit {short(facts.commit)}" if facts.present and facts.commit else facts.origin
    origin = f"{made}: {note.origin}" if note.source in ("rebuild", "none") else note.origin
    return verdict.model_copy(update={"baseline": verdict.baseline.model_copy(update={"origin": origin})})


def _note(check: str, message: str) -> Finding:
    return Finding(check=check, status=Status.WARN, subject="run", message=message)


def _attempt(work: Callable[[], Result], notices: list[str]) -> Result | None:
    """What makes a report richer and is no reason to have none: a failure becomes a notice."""
    try:
        return work()
    except GateError as error:
        notices.append(str(error))
        return None
