"""The check as a check run, with a summary and annotations; needs `checks: write`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from github.CheckRun import CheckRun as ApiCheckRun

from coreml_gate.github.api.client import Client, create_once, requesting
from coreml_gate.github.publishing.annotations import MAX_IN_CHECK, Annotation
from coreml_gate.github.publishing.status.outcome import SUMMARY_LIMIT, CheckOutcome
from coreml_gate.github.without_install import CheckMark, RunStamp, check_mark, mark_of
from coreml_gate.untyped import Json
from coreml_gate.wording import short

PERMISSION: Final = "checks: write"
PER_REQUEST: Final = 50
"""Annotations that GitHub accepts in one request."""
_TITLE: Final = 255
_MILD: Final = ("success", "neutral")
_LEVELS: Final = {"error": "failure", "warning": "warning", "notice": "notice"}


@dataclass(frozen=True)
class CheckRun:
    """The check run of one name and one run on one commit, found again by our mark."""

    client: Client
    name: str
    """The name that branch protection requires."""
    stamp: RunStamp
    key: str
    details_url: str
    clock: Callable[[], datetime]
    keeps_failures: bool = True
    """Whether another job of the same attempt may conclude it too, as in a matrix without keys of its own.
    A workflow that only reports is alone with the run that it reports on, and may report again."""

    def begin(self) -> str:
        """Open a check run, unless this run already has one, and end those of earlier runs."""
        ours = self._ours()
        for mark, run in ours:
            if mark.run < self.stamp.run and _is_open(run):
                self._supersede(run)
        open_run = next((run for mark, run in ours if mark.run == self.stamp.run and _is_open(run)), None)
        return (open_run or self._failed_beside(ours) or self._create()).html_url

    def conclude(self, outcome: CheckOutcome) -> str:
        """Ends the check run of this run; annotations go ahead in as many requests as they need.

        Where a later run of the same commit has a check run already, none is created beside it, and a failure
        of another job of this attempt is not turned into a pass.
        """
        ours = self._ours()
        own = [run for mark, run in ours if mark.run == self.stamp.run]
        run = next(filter(_is_open, own), own[0] if own else None)
        if run is None:
            if any(mark.run > self.stamp.run for mark, _ in ours):
                return ""
            run = self._create()
        failed = self._failed_beside(ours)
        if failed is not None and not _is_open(run) and outcome.conclusion in _MILD:
            return failed.html_url
        *ahead, last = _batches(outcome.annotations[:MAX_IN_CHECK])
        with requesting(self._what(), PERMISSION):
            for batch in ahead:
                run.edit(output=_output(outcome, batch))
            run.edit(
                status="completed",
                conclusion=outcome.conclusion,
                completed_at=self.clock(),
                output=_output(outcome, last),
            )
        return run.html_url

    def _create(self) -> ApiCheckRun:
        def create() -> ApiCheckRun:
            with requesting(self._what(), PERMISSION):
                return self.client.repository.create_check_run(
                    name=self.name,
                    head_sha=self.stamp.head_sha,
                    status="in_progress",
                    started_at=self.clock(),
                    details_url=self.details_url,
                    external_id=check_mark(self.key, self.stamp),
                )

        return create_once(create, self._find_open)

    def _find_open(self) -> ApiCheckRun | None:
        own = (run for mark, run in self._ours() if mark.run == self.stamp.run)
        return next(filter(_is_open, own), None)

    def _failed_beside(self, ours: Sequence[tuple[CheckMark, ApiCheckRun]]) -> ApiCheckRun | None:
        """What another job of this attempt concluded as a failure."""
        failed = (run for mark, run in ours if mark.is_failure_of(self.stamp, run.conclusion))
        return next(failed, None) if self.keeps_failures else None

    def _ours(self) -> list[tuple[CheckMark, ApiCheckRun]]:
        """The key's check runs of this name on this commit with their marks, newest first.

        By default GitHub lists only the last run of each name in a suite, and all that are made with a job's
        token are in one suite, whatever their keys (lewagon/wait-on-check-action#156).
        """
        with requesting(self._what(), "checks: read"):
            commit = self.client.repository.get_commit(self.stamp.head_sha)
            listed = commit.get_check_runs(check_name=self.name, filter="all")
            marked = [(mark_of(run.external_id, self.key), run) for run in listed]
        ours = [(mark, run) for mark, run in marked if mark is not None]
        return sorted(ours, key=lambda each: each[1].id, reverse=True)

    def _supersede(self, run: ApiCheckRun) -> None:
        """End the check run that an earlier run, whose machine is gone, left open."""
        title = f"superseded by run {self.stamp.run}"
        summary = "This run ended without a conclusion, and another one of the same commit has started."
        with requesting(self._what(), PERMISSION):
            run.edit(
                status="completed",
                conclusion="cancelled",
                completed_at=self.clock(),
                output={"title": title, "summary": summary},
            )

    def _what(self) -> str:
        return f"check run {self.name} of {short(self.stamp.head_sha)}"


def _is_open(run: ApiCheckRun) -> bool:
    return run.status != "completed"


def _batches(annotations: Sequence[Annotation]) -> list[tuple[Annotation, ...]]:
    located = [annotation for annotation in annotations if annotation.path]
    starts = range(0, max(len(located), 1), PER_REQUEST)
    return [tuple(located[start : start + PER_REQUEST]) for start in starts]


def _output(outcome: CheckOutcome, annotations: Sequence[Annotation]) -> dict[str, Json]:
    return {
        "title": outcome.title[:_TITLE],
        "summary": outcome.summary[:SUMMARY_LIMIT],
        "annotations": list(_described(annotations)),
    }


def _described(annotations: Sequence[Annotation]) -> Iterator[dict[str, str | int]]:
    for annotation in annotations:
        yield {
            "path": annotation.path,
            "start_line": annotation.line,
            "end_line": annotation.line,
            "annotation_level": _LEVELS[annotation.level],
            "title": annotation.title,
            "message": annotation.message,
        }
