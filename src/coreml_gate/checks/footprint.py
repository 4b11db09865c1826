"""What is the peak memory of a process that predicts with Core ML, compared with the baseline?

The footprint is what iOS limits. It is noisy, so three fresh processes of each package take turns, and the
head exceeds the limit only if each of its processes does, compared with each of the baseline's.
"""

from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence, skipped, status_of_loss
from coreml_gate.criteria import Violation, excess_growth
from coreml_gate.record import ChildEnding, CoreMlFacts, Footprints
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import MB, apart, megabytes, passing_maximum

NAME: Final = "footprint"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in MB (10^6 bytes), the greatest footprint of the head's processes."""
    facts, limit = evidence.head.core_ml, evidence.limits.memory.footprint_max_ratio
    if facts is None:
        return (skipped(NAME, NAME, evidence.without_core_ml),)
    if limit is None:
        return (_shown(facts),)
    if facts.footprints is None:
        return (skipped(NAME, _subject(facts), facts.untimed),)
    if facts.footprints.ending is not None:
        return (_lost(facts.footprints.ending, facts.footprints, facts),)
    return (_judged(facts.footprints, limit, facts),)


def _shown(facts: CoreMlFacts) -> Finding:
    """The footprint of the predictions, without a limit."""
    peaks = {run.units: run.peak_bytes for run in facts.runs if run.peak_bytes is not None}
    if not peaks:
        return skipped(NAME, NAME, f"{facts.machine.engine} predicted on no compute unit.")
    greatest = max(peaks, key=lambda units: peaks[units])
    return Finding(
        check=NAME,
        status=Status.PASS,
        subject=_subject(facts),
        message=f"{facts.machine.engine} on {greatest}: {megabytes(peaks[greatest])}, no limit is set.",
        value=peaks[greatest] / MB,
        unit="MB",
        details=tuple(f"{units}: {megabytes(peak)}" for units, peak in peaks.items()),
    )


def _lost(ending: ChildEnding, footprints: Footprints, facts: CoreMlFacts) -> Finding:
    return Finding(
        check=NAME,
        status=status_of_loss(ending, footprints.units, facts.machine),
        subject=_subject(facts),
        message=f"{facts.machine.engine}: {ending.clause('a process that measures the footprint')}.",
        hint="the details show the last lines of its output; `coreml-gate doctor` checks this Mac.",
        details=ending.log_tail,
    )


def _judged(footprints: Footprints, max_ratio: float, facts: CoreMlFacts) -> Finding:
    base, head = footprints.base_bytes, footprints.head_bytes
    ratio = max(head) / max(base) if max(base) else 1.0
    shown, allowed = apart(ratio, max_ratio)
    status = _status(footprints, max_ratio)
    words = {Status.PASS: "", Status.FAIL: ": more in every process"}
    passing = f"footprint-max-ratio = {passing_maximum(ratio, 3)}"
    advice = Violation("", passing, excess=excess_growth(ratio, max_ratio)).remedy
    return Finding(
        check=NAME,
        status=status,
        subject=_subject(facts),
        message=(
            f"{facts.machine.engine} on {footprints.units}: {megabytes(max(head))}, {shown} times "
            f"the baseline's {megabytes(max(base))}, allowed {allowed} times"
            f"{words.get(status, ': unsure, because the processes differ by more')}."
            f"{advice if status is Status.FAIL else ''}"
        ),
        value=max(head) / MB,
        base=max(base) / MB,
        limit=max(base) * max_ratio / MB,
        unit="MB",
        hint="" if status is Status.PASS else "compare the peaks of `memory`, by operation.",
        details=tuple(
            f"{name}: {', '.join(megabytes(each) for each in sizes)}"
            for name, sizes in (("head", head), ("baseline", base))
        ),
    )


def _status(footprints: Footprints, max_ratio: float) -> Status:
    base, head = footprints.base_bytes, footprints.head_bytes
    if max(head) <= max_ratio * max(base):
        return Status.PASS
    return Status.FAIL if min(head) > max_ratio * max(base) else Status.UNSURE


def _subject(facts: CoreMlFacts) -> str:
    return f"{NAME} (stand-in)" if facts.machine.stand_in else NAME


CHECK: Final = Check(
    NAME,
    "How much memory does a process need at its peak while it predicts with Core ML?",
    run,
    limit="shown; `footprint-max-ratio` limits it",
    why="iOS ends an app whose footprint exceeds its limit.",
    fix="As for `memory`; Core ML's own buffers add to the memory of the program.",
    accept="`limits.memory.footprint-max-ratio` sets the allowed growth; without it the footprint is only "
    "shown.",
    page="docs/memory.md",
    needs="Mac",
    column=Column(
        "Footprint",
        "engine",
        "greatest footprint of a process that predicts with Core ML",
        figures.percent_change,
    ),
)
