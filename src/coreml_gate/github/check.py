"""The mark on the commit that branch protection asks for: begun at once, and concluded whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from coreml_gate.errors import GateError
from coreml_gate.github.annotations import Annotation, annotations_of
from coreml_gate.report import ReportOptions
from coreml_gate.report.headline import headline
from coreml_gate.report.markdown import render
from coreml_gate.verdict import PASS_EXIT_CODE, Status, Verdict

SUMMARY_LIMIT: Final = 65_535
"""Characters of a check run's summary (docs.github.com, REST, checks)."""
Conclusion = Literal["success", "failure", "neutral", "cancelled", "timed_out"]


@dataclass(frozen=True)
class Outcome:
    """How a check ends."""

    conclusion: Conclusion
    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()


class Check(Protocol):
    """A mark on one commit."""

    def begin(self) -> str:
        """Shows that the gate works on it; gives the address of the mark."""

    def conclude(self, outcome: Outcome) -> str:
        """Ends it, begun or not; gives the address of the mark."""


class Slot:
    """Where the body of :func:`concluded` puts its outcome."""

    outcome: Outcome | None = None
    url: str = ""


@contextmanager
def concluded(check: Check) -> Iterator[Slot]:
    """Concludes the check at the end of the block, by its outcome or by what ended it."""
    slot = Slot()
    try:
        yield slot
    except BaseException as error:
        slot.url = check.conclude(broken(error))
        raise
    slot.url = check.conclude(slot.outcome or unfinished("failure"))


def outcome_of(verdict: Verdict, options: ReportOptions) -> Outcome:
    """The outcome that a Verdict means; what cannot be told or was not asked is neutral unless it blocks."""
    limited = ReportOptions(options.key, SUMMARY_LIMIT, options.full_report, options.full_report_url)
    return Outcome(
        conclusion=_conclusion(verdict),
        title=headline(verdict),
        summary=render(verdict, limited),
        annotations=annotations_of(verdict),
    )


def broken(error: BaseException) -> Outcome:
    """The outcome of a gate that could not do its work."""
    if isinstance(error, KeyboardInterrupt):
        return unfinished("cancelled")
    hint = f"\n\nHint: {error.hint}" if isinstance(error, GateError) and error.hint else ""
    words = (
        error.message if isinstance(error, GateError) else f"{type(error).__name__} in coreml-gate itself."
    )
    return Outcome("failure", "the gate could not do its work", f"{words}{hint}")


def unfinished(how: Literal["failure", "cancelled", "timed_out"]) -> Outcome:
    """The outcome of a measurement that left no result behind."""
    words = {
        "failure": "the measuring job ended without a result; its log says why.",
        "cancelled": "the measuring job was cancelled before it had a result.",
        "timed_out": "the measuring job ran out of time before it had a result.",
    }
    return Outcome(how, "no verdict", words[how])


def _conclusion(verdict: Verdict) -> Conclusion:
    if verdict.exit_code != PASS_EXIT_CODE:
        return "failure"
    return "success" if verdict.verdict in (Status.PASS, Status.WARN) else "neutral"
