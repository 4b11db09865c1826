"""Does Core ML itself agree with the source, on every compute unit?

Comparing Core ML with our runtime separates a fault of Core ML or its hardware from one of the package: if
our runtime agrees with PyTorch and Core ML does not, the package is right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence, is_excused, is_slow_load, skipped, status_of_loss
from coreml_gate.config.limits import PrecisionLimits
from coreml_gate.criteria import (
    Group,
    Violation,
    also,
    by_output,
    engine_violations,
    gravest_first,
    least_psnr,
    sample_line,
    violations,
)
from coreml_gate.frozen import changed
from coreml_gate.record import ChildEnding, Comparison, CoreMlFacts, CoreMlRun
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import number

NAME: Final = "coreml-parity"

_AGREES: Final = "; our runtime agrees with PyTorch"
_PACKAGE: Final = ", and our runtime does not agree with PyTorch either: the package is wrong, not Core ML"
_UNSTEADY: Final = "is not deterministic: two runs of the same sample differ"
_REFUSED: Final = (
    ", but the Neural Engine's compiler refused the program (`ANECCompile() FAILED` in Core ML's log), so "
    "other hardware computed this"
)
_WITHOUT_ENGINE: Final = (
    "Core ML loads such a program and falls back or is killed without an error (apple/coremltools#2758): "
    "name compute units without the Neural Engine (`compute-units`), or split or shrink the program."
)
_VIRTUAL: Final = (
    "virtual machines have no Neural Engine and a paravirtual GPU: run CPU_ONLY there (`core-ml-units` in "
    "[gate]), and the other compute units on a physical Mac."
)


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per compute unit, or one for all units with the same fault.

    Its value is the lowest PSNR of all outputs and samples.
    """
    facts = evidence.head.core_ml
    if facts is None:
        return (skipped(NAME, "Core ML", evidence.without_core_ml),)
    if not facts.runs:
        return (skipped(NAME, "Core ML", "the model allows none of the compute units in `core-ml-units`."),)
    facts = _floored(facts, evidence)
    groups: dict[tuple[str, ...], list[_Answer]] = {}
    for each in facts.runs:
        answer = _Answer(each, _finding(each, facts, evidence), _who((each,), facts))
        groups.setdefault(answer.fault, []).append(answer)
    return tuple(_joined(answers, facts) for answers in groups.values())


def _floored(facts: CoreMlFacts, evidence: Evidence) -> CoreMlFacts:
    runs = (
        changed(
            run,
            against_source=evidence.floored(run.against_source),
            against_runtime=evidence.floored(run.against_runtime),
        )
        for run in facts.runs
    )
    ours = evidence.floored(facts.runtime_against_source)
    return changed(facts, runs=tuple(runs), runtime_against_source=ours)


@dataclass(frozen=True)
class _Answer:
    """The finding of one compute unit."""

    run: CoreMlRun
    finding: Finding
    who: str

    @property
    def said(self) -> str:
        """The sentence without the compute unit."""
        return self.finding.message.removeprefix(f"{self.who}: ")

    @property
    def fault(self) -> tuple[str, ...]:
        """The key by which findings are joined; for a wrong package, figures may differ between units."""
        if self.finding.status in {Status.PASS, Status.SKIPPED}:
            return (self.run.units,)
        what = self.said.partition(": ")[0] if _PACKAGE in self.said else self.said
        return (self.finding.status, what)


def _joined(answers: list[_Answer], facts: CoreMlFacts) -> Finding:
    """One finding for all compute units, with the figures of the worst and the details of each."""
    if len(answers) == 1:
        return answers[0].finding
    worst = min(answers, key=lambda each: -inf if each.finding.value is None else each.finding.value)
    are_equal = all(each.said == worst.said for each in answers)
    at_worst = "" if are_equal else f" (figures of {worst.run.units})"
    runs = tuple(each.run for each in answers)
    details = (f"{each.run.units}: {line}" for each in answers for line in each.finding.details)
    return changed(
        worst.finding,
        subject=f"{facts.machine.engine} {', '.join(run.units for run in runs)}",
        message=f"{_who(runs, facts)}{at_worst}: {worst.said}",
        details=tuple(details),
    )


def _finding(run: CoreMlRun, facts: CoreMlFacts, evidence: Evidence) -> Finding:
    if run.ending is not None:
        return _ended(run, run.ending, facts)
    reference = run.against_source or run.against_runtime
    if not reference:
        return skipped(NAME, _subject(run, facts), "there are no samples to predict on.")
    limits = evidence.limits.precision
    raised = gravest_first(_violations(run, reference, facts, limits))
    return Finding(
        check=NAME,
        status=_status(raised, run, facts),
        subject=_subject(run, facts),
        message=f"{_who((run,), facts)}: {_message(raised, reference, limits, refused=run.engine_refused)}",
        value=least_psnr(reference),
        limit=limits.psnr,
        unit="dB",
        hint=_hint(raised, run, facts),
        details=(
            *also(raised),
            *_relations(run, facts),
            *(sample_line(comparison) for comparison in reference),
        ),
    )


def _subject(run: CoreMlRun, facts: CoreMlFacts) -> str:
    return f"{facts.machine.engine} {run.units}"


def _who(runs: Sequence[CoreMlRun], facts: CoreMlFacts) -> str:
    """``Core ML on ALL and CPU_ONLY``; the stand-in is always marked as not being Core ML."""
    not_it = f" ({facts.machine.stand_in}, not Core ML)" if facts.machine.stand_in else ""
    return f"{facts.machine.engine} on {' and '.join(run.units for run in runs)}{not_it}"


def _status(raised: tuple[Violation, ...], run: CoreMlRun, facts: CoreMlFacts) -> Status:
    if not raised:
        return Status.UNSURE if run.engine_refused else Status.PASS
    return Status.UNSURE if is_excused(run.units, facts.machine) else raised[0].status


def _ended(run: CoreMlRun, ending: ChildEnding, facts: CoreMlFacts) -> Finding:
    return Finding(
        check=NAME,
        status=status_of_loss(ending, run.units, facts.machine),
        subject=_subject(run, facts),
        message=f"{_who((run,), facts)}: {ending.clause()}.",
        hint=_way_out(run, ending, facts),
        details=ending.log_tail,
    )


def _way_out(run: CoreMlRun, ending: ChildEnding, facts: CoreMlFacts) -> str:
    if is_excused(run.units, facts.machine):
        return _VIRTUAL
    if run.engine_refused:
        return _WITHOUT_ENGINE
    if is_slow_load(ending, run.units):
        return (
            "raise `core-ml-timeout-s` in [gate]: a first load on the Neural Engine can take minutes. One "
            "that never ends (apple/coremltools#2660) needs compute units without it (`compute-units`)."
        )
    return "the details show its last lines; try another `compute-units`, and report it to Apple."


def _violations(
    run: CoreMlRun, reference: Group, facts: CoreMlFacts, limits: PrecisionLimits
) -> Iterator[Violation | None]:
    ours = by_output(facts.runtime_against_source if run.against_source else ())
    for output, group in by_output(reference).items():
        for violation in engine_violations(group, limits):
            yield Violation(
                f"output `{output}`: {violation.message}{_culprit(ours.get(output), run, facts, limits)}",
                violation.passes_with,
                violation.status,
                violation.excess,
            )
    yield _differs(run.against_units, limits, f"differs from {_first(facts)}")
    yield _unsteady(run.repeated, limits)


def _culprit(ours: Group | None, run: CoreMlRun, facts: CoreMlFacts, limits: PrecisionLimits) -> str:
    """Says which side is wrong, judged by our runtime's result for the same output."""
    if not run.against_source or not facts.runtime_against_source:
        return ""
    if not ours or engine_violations(ours, limits):
        return _PACKAGE
    best = least_psnr(ours)
    figure = "exactly" if best is None else f"to {best:.1f} dB"
    return f"{_AGREES} ({figure}), {facts.machine.engine} does not"


def _unsteady(group: tuple[Comparison, ...], limits: PrecisionLimits) -> Violation | None:
    """NaN in one of two runs is wrong, whichever run it was; other values may differ by rounding."""
    wrong = [each for each in violations.unfit(group, Status.WARN) if each.status is Status.FAIL]
    if wrong:
        return Violation(f"{_UNSTEADY}: {wrong[0].message}")
    return _differs(group, limits, _UNSTEADY)


def _differs(group: tuple[Comparison, ...], limits: PrecisionLimits, what: str) -> Violation | None:
    """Two correct executions differ by rounding; only a larger difference is reported."""
    raised = gravest_first((*violations.unfit(group, Status.WARN), violations.psnr(group, limits.psnr)))
    return Violation(f"{what}: {raised[0].message}", status=Status.WARN) if raised else None


def _relations(run: CoreMlRun, facts: CoreMlFacts) -> Iterator[str]:
    """How Core ML compares with our runtime, with its other compute units and with itself."""
    yield from _relation("our runtime", run.against_runtime)
    yield from _relation(_first(facts), run.against_units)
    yield from _relation("the same sample predicted again", run.repeated)


def _relation(what: str, group: tuple[Comparison, ...]) -> Iterator[str]:
    if group:
        least = least_psnr(group)
        yield f"against {what}: {'equal' if least is None else f'{least:.1f} dB'}"


def _first(facts: CoreMlFacts) -> str:
    """The compute unit that the others are compared with."""
    units = next((run.units for run in facts.runs if run.ending is None), "CPU_ONLY")
    return f"{facts.machine.engine} on {units}"


def _message(
    raised: tuple[Violation, ...], reference: Group, limits: PrecisionLimits, *, refused: bool
) -> str:
    elsewhere = _REFUSED if refused else ""
    if raised:
        return f"{raised[0].message}{elsewhere}.{raised[0].remedy}"
    least = least_psnr(reference)
    if least is None:
        return f"equal in every sample{elsewhere}."
    return f"PSNR {least:.1f} dB, minimum {number(limits.psnr)} dB{elsewhere}."


def _hint(raised: tuple[Violation, ...], run: CoreMlRun, facts: CoreMlFacts) -> str:
    if not raised:
        return _WITHOUT_ENGINE if run.engine_refused else ""
    if is_excused(run.units, facts.machine):
        return _VIRTUAL
    if _AGREES in raised[0].message:
        return (
            "the package is right: exclude this compute unit (`compute-units`), or rewrite the operation "
            "that it gets wrong; operations kept in FP32 do not run on the Neural Engine."
        )
    return "compare the compute units in the details; `keep-fp32` helps where FP16 is the reason."


CHECK: Final = Check(
    NAME,
    "Does Core ML itself match the source, on every compute unit?",
    run,
    limit="that of precision",
    why=(
        "Core ML returns other results than the model on a compute unit, although the package is right, so "
        "users of that hardware get wrong results."
    ),
    fix="Exclude the unit with `compute-units`, keep the operation in float32, or rewrite it.",
    accept="`limits.precision` applies to Core ML too.",
    page="docs/macos.md",
    needs="Mac",
    numerical=True,
    column=Column(
        "Engine",
        "numbers",
        "PSNR of Core ML against the source, worst sample, on each compute unit, worst first",
        figures.decibel_difference,
        figures.decibels,
        highest_is_worst=False,
        exact="equal",
        by_subject=True,
        legend="Engine: PSNR of the engine's outputs against the source, for each compute unit.",
        most=4,
    ),
)
