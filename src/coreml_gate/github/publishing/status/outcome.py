"""How a check ends, by the Verdict or by the reason for none; it is concluded whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from coreml_gate.github.judging.no_verdict import NoVerdict, broken, described, unfinished
from coreml_gate.github.publishing.annotations import Annotation, annotations_of
from coreml_gate.report import ReportOptions
from coreml_gate.report.headline import headline
from coreml_gate.report.markdown import render
from coreml_gate.verdict import PASS_EXIT_CODE, Status, Verdict

SUMMARY_LIMIT: Final = 65_535
"""Characters of a check run's summary (docs.github.com, REST, checks)."""
Conclusion = Literal["success", "failure", "neutral", "cancelled", "timed_out"]


@dataclass(frozen=True)
class CheckOutcome:
    """How a check ends."""

    conclusion: Conclusion
    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()


class CommitCheck(Protocol):
    """A check on one commit."""

    def begin(self) -> str:
        """Show that the gate is running; returns the check's address."""

    def conclude(self, outcome: CheckOutcome) -> str:
        """Conclude it, whether begun or not; returns the check's address."""


class PendingOutcome:
    """Takes the outcome within the block of :func:`concluded`."""

    outcome: CheckOutcome | None = None
    url: str = ""


@contextmanager
def concluded(check: CommitCheck) -> Iterator[PendingOutcome]:
    """Conclude the check at the end of the block, by its outcome or by the error that ended it."""
    pending = PendingOutcome()
    try:
        yield pending
    except BaseException as error:
        pending.url = check.conclude(_without_verdict(broken(error)))
        raise
    pending.url = check.conclude(pending.outcome or _without_verdict(unfinished("failure")))


def outcome_of(judged: Verdict | NoVerdict, options: ReportOptions) -> CheckOutcome:
    """The outcome of a Verdict; unsure and skipped are neutral unless they block."""
    if isinstance(judged, NoVerdict):
        return _without_verdict(judged)
    limited = ReportOptions(options.key, SUMMARY_LIMIT, options.full_report, options.full_report_url)
    return CheckOutcome(
        conclusion=_conclusion(judged),
        title=headline(judged),
        summary=render(judged, limited),
        annotations=annotations_of(judged),
    )


def _without_verdict(why: NoVerdict) -> CheckOutcome:
    return CheckOutcome(why.conclusion, why.title, described(why))


def _conclusion(verdict: Verdict) -> Conclusion:
    if verdict.exit_code != PASS_EXIT_CODE:
        return "failure"
    return "success" if verdict.verdict in (Status.PASS, Status.WARN) else "neutral"
