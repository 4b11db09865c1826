"""The steps of a workflow: begin, find or store the baseline, report; those for several jobs: gather.py."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from coreml_gate.errors import ArtifactError, GateError, GitHubError, TokenError
from coreml_gate.gate.collect import RECORD_NAME, environment_of_this_machine
from coreml_gate.gate.git import short
from coreml_gate.github.annotations import annotations_of, commands, notice, without_commands
from coreml_gate.github.artifacts import base_name, baseline_name, record_name, report_name
from coreml_gate.github.baseline import (
    BaselineNote,
    Source,
    Wanted,
    find,
    merge_base,
    remove,
    unpack,
    write_note,
)
from coreml_gate.github.carried import accepted_failures
from coreml_gate.github.cases import Asked, Case, own_case, reported_case
from coreml_gate.github.check import Check, Outcome, concluded, outcome_of, unfinished
from coreml_gate.github.check_run import CheckRun
from coreml_gate.github.client import Client
from coreml_gate.github.comment import CommentMode, Posted, is_wanted, post
from coreml_gate.github.commit_status import CommitStatus
from coreml_gate.github.event import WORK, Event, Mode, read_event
from coreml_gate.github.gather import matrix, merge
from coreml_gate.github.outputs import write_outputs, write_summary
from coreml_gate.github.review import review
from coreml_gate.github.tools import Tools
from coreml_gate.record import read_record, write_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.headline import must_not_merge
from coreml_gate.surroundings import Surroundings
from coreml_gate.verdict import Verdict

_CHECKED: Final = tuple(mode for mode in Mode if mode is not Mode.BASELINE)
"""Modes with a check: a push to the base branch has nobody to hold up."""
_OPENED: Final = (Mode.COMPARE, Mode.JUDGE, Mode.ANNOUNCE, Mode.COLLECT)
"""Modes that come first; the others conclude what these have opened."""
_OWN_TOKEN: Final = (Mode.COMPARE, Mode.COLLECT, Mode.GATHER)
"""Modes that run with the pull request's token, which can only read when it comes from a fork."""


SUFFIXES: Final = {"markdown": ".md", "html": ".html", "json": ".json", "junit": ".xml", "sarif": ".sarif"}
"""Formats that are written as files, and how their names end."""

_UNPINNED: Final = (
    "`--workflow` names no file: a fork can then measure in a workflow of its own making, for which there is "
    "no baseline. Name the file that measures pull requests and stores baselines."
)


@dataclass(frozen=True)
class Desk:
    """One step at work."""

    parsed: argparse.Namespace
    around: Surroundings
    tools: Tools
    event: Event
    client: Client

    def say(self, line: str) -> None:
        """Print one line to the log as it is."""
        self.around.out.print(line, markup=False, highlight=False, soft_wrap=True)

    def output(self, outputs: Mapping[str, str]) -> None:
        """Leave outputs for later steps."""
        write_outputs(self.file("GITHUB_OUTPUT"), outputs, self.tools.new_token)

    def file(self, variable: str) -> Path | None:
        """The file that the runner names, if it names one."""
        name = self.around.environment.get(variable, "")
        return Path(name) if name else None


def start(parsed: argparse.Namespace, around: Surroundings, tools: Tools) -> int:
    """Decide what this run is for, and open the check."""
    with _desk(parsed, around, tools) as desk:
        event = desk.event
        desk.output(
            {
                "mode": event.mode.value,
                "work": " ".join(WORK[event.mode]),
                "head-sha": event.head_sha,
                "base-sha": event.base_sha or "",
                "base-ref": event.base_ref,
                "pull-request": str(event.pull_request or ""),
                "fork": str(event.fork).lower(),
                **_artifact_names(parsed, event),
            }
        )
        desk.say(f"coreml-gate: {event.name} means {event.mode.value} for {short(event.head_sha)}")
        check = _check(desk)
        desk.output({"check-url": check.begin() if event.mode in _OPENED else ""})
        _say_notices(desk, check.notices)
    return 0


def _artifact_names(parsed: argparse.Namespace, event: Event) -> dict[str, str]:
    return {
        "baseline-artifact": baseline_name(parsed.key, event.head_sha),
        "record-artifact": record_name(parsed.key, parsed.shard),
        "base-artifact": base_name(parsed.key, parsed.shard),
        "report-artifact": report_name(parsed.key),
    }


def baseline(parsed: argparse.Namespace, around: Surroundings, tools: Tools) -> int:
    """Find the stored baseline and unpack it; without one, leave the reasons for the report."""
    with _desk(parsed, around, tools) as desk:
        base = parsed.base or desk.event.base_sha or desk.event.base_ref
        folder = around.folder / parsed.to
        note = _search(desk, base, folder)
        write_note(note, folder)
        found = note.source in ("merge-base", "ancestor")
        desk.output(
            {
                "baseline-source": note.source,
                "baseline-commit": note.commit or "",
                "baseline-path": str(folder) if found else "",
                "baseline-origin": note.origin,
            }
        )
        desk.say(without_commands(f"coreml-gate: baseline: {note.source}: {note.origin}", tools.new_token()))
    return 0


def accept(parsed: argparse.Namespace, around: Surroundings, tools: Tools) -> int:
    """Note in the Record of a base branch which failures merged pull requests brought along, accepted.

    Without permission to read them the Record stays as it is: a failure then blocks, which is the safe side.
    """
    with _desk(parsed, around, tools) as desk:
        path = around.folder / parsed.record / RECORD_NAME
        record, today = read_record(path), tools.clock().date()
        try:
            found = accepted_failures(desk.client, desk.event.base_ref, parsed.author, today)
        except GitHubError as error:
            _say_notices(desk, [str(error)])
            return 0
        write_record(record.model_copy(update={"accepted": found}), path)
        for each in found:
            words = f"{each.check} of {each.model} until {each.until}, pull request {each.pull_request}"
            desk.say(without_commands(f"coreml-gate: accepted: {words}", tools.new_token()))
    return 0


def report(parsed: argparse.Namespace, around: Surroundings, tools: Tools) -> int:
    """Publish the Verdict: check, comment, summary, annotations, outputs. Its exit code is the Verdict's.

    Under ``workflow_run`` the check carries the Verdict; the exit code says whether reporting worked.
    """
    with _desk(parsed, around, tools) as desk:
        options = ReportOptions(key=parsed.key, full_report_url=desk.event.run_url)
        check = _check(desk)
        with concluded(check) as slot:
            case = _case(desk)
            slot.outcome = _outcome(case, options)
        posted, failed = _comment(desk, case, options)
        _say_notices(desk, (*case.notices, *check.notices, *failed, *_suggest(desk, case)))
        _leave_behind(desk, case, options, posted, slot.url)
    if case.verdict is None or desk.event.mode is Mode.REPORT:
        return 0
    return case.verdict.exit_code


@dataclass
class Forgiving:
    """A check that a token without the permission does without: a fork's can only read."""

    check: Check | None
    notices: list[str] = field(default_factory=list)

    def begin(self) -> str:
        """Begin the check, or note why it cannot be begun."""
        return self._try(lambda check: check.begin())

    def conclude(self, outcome: Outcome) -> str:
        """Conclude the check, or note why it cannot be concluded."""
        return self._try(lambda check: check.conclude(outcome))

    def _try(self, act: Callable[[Check], str]) -> str:
        if self.check is None:
            return ""
        try:
            return act(self.check)
        except TokenError as error:
            self.notices.append(str(error))
            return ""


def _check(desk: Desk) -> Forgiving:
    if desk.event.mode not in _CHECKED or desk.parsed.check == "off":
        return Forgiving(None)
    if _can_only_read(desk.event):
        words = "no check run from here: the token of a fork's pull request can only read."
        return Forgiving(None, [f"{words} A `workflow_run` workflow reports it."])
    name, sha, url = desk.parsed.check_name, desk.event.head_sha, desk.event.run_url
    if desk.parsed.check == "status":
        return Forgiving(CommitStatus(desk.client, name, sha, url))
    return Forgiving(CheckRun(desk.client, name, sha, desk.parsed.key, url, desk.tools.clock))


def _can_only_read(event: Event) -> bool:
    return event.fork and event.mode in _OWN_TOKEN


@contextmanager
def _desk(parsed: argparse.Namespace, around: Surroundings, tools: Tools) -> Iterator[Desk]:
    ReportOptions(key=parsed.key)
    event = read_event(around.environment, tuple(getattr(parsed, "base_branch", ())), parsed.mode)
    client = tools.connect(around.environment, event.repository)
    try:
        yield Desk(parsed, around, tools, event, client)
    finally:
        client.close()


def _search(desk: Desk, base: str, folder: Path) -> BaselineNote:
    """The note on the best baseline; a search that GitHub refuses ends like one that finds nothing."""
    parsed = desk.parsed
    head = parsed.head or desk.around.environment.get("GITHUB_SHA", desk.event.head_sha)
    reasons: tuple[str, ...]
    commit = None
    try:
        commit = merge_base(desk.client, base, head)
        wanted = Wanted(
            key=parsed.key,
            commit=commit,
            workflow_path=parsed.workflow or desk.event.workflow_path,
            environment=environment_of_this_machine(),
            ancestors=parsed.ancestors,
        )
        with find(desk.client, wanted) as (stored, reasons):
            if stored is not None:
                unpack(stored, folder)
                return BaselineNote(source=stored.source, commit=stored.commit, origin=stored.origin)
    except (GitHubError, ArtifactError) as error:
        remove(folder)
        _say_notices(desk, [str(error)])
        reasons = (error.message.rstrip("."),)
    source: Source = "rebuild" if parsed.rebuild else "none"
    return BaselineNote(source=source, commit=commit, origin="; ".join(reasons))


def _case(desk: Desk) -> Case:
    parsed, event, folder = desk.parsed, desk.event, desk.around.folder
    asked = Asked(
        key=parsed.key,
        config=parsed.config,
        workflow_path=parsed.workflow or (event.source_run.path if event.source_run else event.workflow_path),
        author=parsed.author,
        release=parsed.release,
        today=desk.tools.clock().date(),
    )
    if event.source_run is not None:
        if not parsed.workflow:
            _say_notices(desk, [_UNPINNED])
        return reported_case(desk.client, event.source_run, asked)
    if parsed.job_status == "cancelled" and not (folder / parsed.report).exists():
        return Case(None, unfinished("cancelled"))
    return own_case(desk.client, event, folder / parsed.report, folder / parsed.baseline, asked)


def _outcome(case: Case, options: ReportOptions) -> Outcome | None:
    return case.outcome if case.verdict is None else outcome_of(case.verdict, options)


def _comment(desk: Desk, case: Case, options: ReportOptions) -> tuple[Posted, list[str]]:
    """The comment, or the reason for none: what failed here must not hide the Verdict."""
    mode = CommentMode(desk.parsed.comment)
    if case.verdict is None or case.pull is None or mode is CommentMode.OFF:
        return Posted("none"), []
    if _can_only_read(desk.event):
        return Posted("none"), []
    body = FORMATS["markdown"](case.verdict, options)
    wanted = is_wanted(mode, case.verdict)
    try:
        posted = post(desk.client, case.pull.number, body, options.key, desk.parsed.author, wanted=wanted)
    except GitHubError as error:
        return Posted("none"), [str(error)]
    return posted, [posted.notice] if posted.notice else []


def _suggest(desk: Desk, case: Case) -> list[str]:
    """Brings the suggestions up to date; whatever keeps them from it is a notice."""
    parsed = desk.parsed
    if case.verdict is None or case.pull is None or _can_only_read(desk.event):
        return []
    if not parsed.suggestions or CommentMode(parsed.comment) is CommentMode.OFF:
        return []
    try:
        review(desk.client, case.pull, case.verdict, parsed.config, parsed.key, parsed.author)
    except GateError as error:
        return [str(error)]
    return []


def _say_notices(desk: Desk, notices: Sequence[str]) -> None:
    for each in notices:
        desk.say(notice(each, "warning"))


def _leave_behind(desk: Desk, case: Case, options: ReportOptions, posted: Posted, check_url: str) -> None:
    verdict = case.verdict
    common = {"comment-id": str(posted.id or ""), "comment-url": posted.url, "check-url": check_url}
    if verdict is None:
        desk.output({"verdict": "none", **common})
        return
    if desk.parsed.summary:
        write_summary(desk.file("GITHUB_STEP_SUMMARY"), verdict, options)
    desk.say(without_commands(FORMATS["terminal"](verdict, options), desk.tools.new_token()))
    if desk.parsed.annotations:
        for line in commands(annotations_of(verdict)):
            desk.say(line)
    desk.output({**_outputs_of(verdict), **_write_formats(desk, verdict, options), **common})


def _outputs_of(verdict: Verdict) -> dict[str, str]:
    return {
        "verdict": verdict.verdict.value,
        "exit-code": str(verdict.exit_code),
        "regressions": str(sum(must_not_merge(model) for model in verdict.models)),
        "baseline-commit": verdict.baseline.commit or "",
        "baseline-origin": verdict.baseline.origin,
    }


def _write_formats(desk: Desk, verdict: Verdict, options: ReportOptions) -> dict[str, str]:
    """Where the published Verdict lies; without a folder for it, where the unpublished one does, if any."""
    if desk.parsed.formats is None:
        return {
            "report": "" if desk.event.mode is Mode.REPORT else str(desk.around.folder / desk.parsed.report)
        }
    folder = desk.around.folder / desk.parsed.formats
    folder.mkdir(parents=True, exist_ok=True)
    for name, suffix in SUFFIXES.items():
        (folder / f"report{suffix}").write_text(FORMATS[name](verdict, options), encoding="utf-8")
    return {"report": str(folder / "report.json"), "reports": str(folder)}


STEPS: Final[dict[str, Callable[[argparse.Namespace, Surroundings, Tools], int]]] = {
    "start": start,
    "accept": accept,
    "baseline": baseline,
    "merge": merge,
    "matrix": matrix,
    "report": report,
}
"""The steps by the name that a workflow gives."""
