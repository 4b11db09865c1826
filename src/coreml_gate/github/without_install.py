"""What the action's first and last step share with the gate: they run on whatever Python the runner has.

Nothing but the standard library, and nothing newer than Python 3.9, the oldest ``python3`` of a hosted image.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

CANCELLED_BEFORE = "the job was cancelled before there was a result."
_STAMP = re.compile(r"<!-- coreml-gate-run: ([0-9a-f]{40,64}) (\d{1,19}) (\d{1,9}) -->")
_OUTDATED = "<!-- coreml-gate-outdated -->"
_END_OF_OUTDATED = "<!-- end of coreml-gate-outdated -->"
_LONGEST_OUTDATED = 40_000
"""Characters kept of an old report, so that the comment stays below GitHub's 65,536."""
_SHORT = 7
_MINUTE = 60
_ALMOST_S = 30
"""Tolerance in seconds: a job ends a little after its time, and the clock is read before or after that."""


class RunStamp(NamedTuple):
    """The run and the commit of a comment, at its end. Numbers of runs only grow."""

    head_sha: str
    run: int
    attempt: int

    def __str__(self) -> str:
        return f"<!-- coreml-gate-run: {self.head_sha} {self.run} {self.attempt} -->"

    def is_older_than(self, other: RunStamp | None) -> bool:
        """Whether the other run is a later one of the same commit."""
        if other is None or other.head_sha != self.head_sha:
            return False
        return (self.run, self.attempt) < (other.run, other.attempt)


def stamp_in(body: str) -> RunStamp | None:
    """The last stamp of a comment, or ``None``."""
    found = _STAMP.findall(body)
    return RunStamp(found[-1][0], int(found[-1][1]), int(found[-1][2])) if found else None


def comment_marker(key: str) -> str:
    """The beginning of a key's comment."""
    return f"<!-- coreml-gate: {key} -->"


class CheckMark(NamedTuple):
    """The run and the attempt that opened a check run."""

    run: int
    attempt: int

    def is_failure_of(self, stamp: RunStamp, conclusion: str | None) -> bool:
        """Whether a job of this very attempt failed, such as another one of a matrix with one key."""
        return self == (stamp.run, stamp.attempt) and conclusion in ("failure", "cancelled", "timed_out")


def check_mark(key: str, stamp: RunStamp) -> str:
    """The ``external_id`` of the check run of a key and an attempt of a run."""
    return f"coreml-gate: {key}: {stamp.run}.{stamp.attempt}"


def mark_of(external_id: str, key: str) -> CheckMark | None:
    """The mark of a check run; ``None`` for that of another key or author."""
    found = re.fullmatch(r"coreml-gate: " + re.escape(key) + r": (\d{1,19})\.(\d{1,9})", external_id or "")
    return CheckMark(int(found[1]), int(found[2])) if found else None


def has_ended(action: str, conclusion: str | None) -> bool:
    """Whether a run of another workflow is over, by the event that it caused.

    One that waits for a maintainer's approval has the event and the state of one that is completed
    (pytorch/test-infra#8029).
    """
    return action == "completed" and conclusion != "action_required"


def ending(
    job_status: str, elapsed_s: float | None, timeout_minutes: float | None
) -> tuple[Literal["failure", "cancelled", "timed_out"], str]:
    """The conclusion and the reason of a job that left no verdict.

    GitHub records a job that exceeded ``timeout-minutes`` as cancelled (paiml/aprender#3293), so only the
    clock distinguishes them.
    """
    if job_status != "cancelled":
        return "failure", "the job failed before it had a result."
    if elapsed_s is None:
        return "cancelled", "the job was cancelled or ran out of time before it had a result."
    if timeout_minutes is None:
        minutes = f"{elapsed_s / _MINUTE:.0f} min"
        return "cancelled", f"after {minutes} the job was cancelled or ran out of time, without a result."
    if elapsed_s >= timeout_minutes * _MINUTE - _ALMOST_S:
        return "timed_out", f"the job ran out of its {timeout_minutes:g} min (`timeout-minutes`)."
    return "cancelled", CANCELLED_BEFORE


def no_verdict_body(key: str, stamp: RunStamp, reason: str, run_url: str, previous: str) -> str:
    """The comment of a run that left no verdict, with the last verdict folded below it as outdated."""
    head = f"### ❔ coreml-gate: no verdict for `{stamp.head_sha[:_SHORT]}`"
    parts = [comment_marker(key), head, "", f"{reason[:1].upper()}{reason[1:]} See [the run]({run_url})."]
    outdated = _outdated(previous, key)
    if outdated:
        parts += ["", _OUTDATED, outdated, _END_OF_OUTDATED]
    return "\n".join([*parts, str(stamp), ""])


def _outdated(previous: str, key: str) -> str:
    """The last verdict, folded unless it already is."""
    if _OUTDATED in previous:
        return previous.partition(_OUTDATED)[2].partition(_END_OF_OUTDATED)[0].strip()
    stamp = stamp_in(previous)
    report = _STAMP.sub("", previous).replace(comment_marker(key), "", 1).strip()
    if not report:
        return ""
    of = f" of `{stamp.head_sha[:_SHORT]}`" if stamp else ""
    if len(report) > _LONGEST_OUTDATED:
        report = f"The report{of} is too long to be kept here."
    return f"<details><summary>Outdated: the report{of}</summary>\n\n{report}\n\n</details>"
