"""The check as a check run, with a summary and annotations; needs `checks: write`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from github.CheckRun import CheckRun as ApiCheckRun

from coreml_gate.github.api.client import Client, asking, create_once
from coreml_gate.github.publishing.annotations import MAX_IN_CHECK, Annotation
from coreml_gate.github.publishing.status.outcome import SUMMARY_LIMIT, CheckOutcome

PERMISSION: Final = "checks: write"
PER_REQUEST: Final = 50
"""Annotations that GitHub takes at once."""
_TITLE: Final = 255
_LEVELS: Final = {"error": "failure", "warning": "warning", "notice": "notice"}


@dataclass(frozen=True)
class CheckRun:
    """A check run of one name on one commit; found again by both and by our own mark, so nothing is kept."""

    client: Client
    name: str
    """Branch protection asks for it by this name."""
    head_sha: str
    key: str
    details_url: str
    clock: Callable[[], datetime]

    def begin(self) -> str:
        """Opens a check run in progress, unless one is open already."""
        open_run = self._find(open_only=True)
        return (open_run or self._create()).html_url

    def conclude(self, outcome: CheckOutcome) -> str:
        """Ends the check run; annotations go ahead in as many requests as they need."""
        run = self._find(open_only=False) or self._create()
        *ahead, last = _batches(outcome.annotations[:MAX_IN_CHECK])
        with asking(self._what(), PERMISSION):
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
            with asking(self._what(), PERMISSION):
                return self.client.repository.create_check_run(
                    name=self.name,
                    head_sha=self.head_sha,
                    status="in_progress",
                    started_at=self.clock(),
                    details_url=self.details_url,
                    external_id=self._mark,
                )

        return create_once(create, lambda: self._find(open_only=True))

    def _find(self, *, open_only: bool) -> ApiCheckRun | None:
        """Our newest check run of this name on this commit, an open one first."""
        with asking(self._what(), "checks: read"):
            commit = self.client.repository.get_commit(self.head_sha)
            listed = commit.get_check_runs(check_name=self.name)
            own = [run for run in listed if run.external_id == self._mark]
            unfinished = [run for run in own if run.status != "completed"]
        candidates = unfinished if open_only else unfinished or own
        return max(candidates, key=lambda run: run.id, default=None)

    @property
    def _mark(self) -> str:
        return f"coreml-gate: {self.key}"

    def _what(self) -> str:
        return f"check run {self.name} of {self.head_sha[:7]}"


def _batches(annotations: Sequence[Annotation]) -> list[tuple[Annotation, ...]]:
    located = [annotation for annotation in annotations if annotation.path]
    starts = range(0, max(len(located), 1), PER_REQUEST)
    return [tuple(located[start : start + PER_REQUEST]) for start in starts]


def _output(outcome: CheckOutcome, annotations: Sequence[Annotation]) -> dict[str, Any]:
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
