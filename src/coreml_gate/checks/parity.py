"""Does the package still answer like the source, when both compute in float32?

Rounding is all that may differ, so a failure means that the conversion is wrong, whatever the precision of
the package that ships.
"""

from typing import Final

from coreml_gate import figures
from coreml_gate.checks.allowed_shapes import allowed_shapes
from coreml_gate.checks.cause_by_rule import CauseByRule, cause_by_rule
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.checks.first_wrong import details, patch, place_of, sentence, way_out
from coreml_gate.checks.rounded_inputs import rounded_inputs
from coreml_gate.config import ParityLimits
from coreml_gate.criteria import (
    Group,
    Violation,
    by_output,
    comparable,
    parity_violations,
    violations,
    worst_relative_error,
)
from coreml_gate.criteria.sentences import sample_line
from coreml_gate.record import ParityDiagnosis
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, number

NAME: Final = "parity"

_HINT: Final = (
    "both sides computed in float32, so rounding is not the cause. Try the other route "
    '(conversion = "trace" or "export"), or rewrite the operation that the converter gets wrong.'
)


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per output, by the worst relative error of all samples, and one for what inputs lose."""
    of_inputs = (*allowed_shapes(evidence, NAME), *rounded_inputs(evidence, NAME))
    if evidence.head.parity or of_inputs:
        groups = by_output(evidence.head.parity)
        return (*of_inputs, *(_finding(output, group, evidence) for output, group in groups.items()))
    source = evidence.head.source
    if source is not None and source.kind == "package":
        return (skipped(NAME, "outputs", "the source is a package: there is nothing to compare it with."),)
    return (evidence.unmeasured(NAME, "outputs"),)


def _finding(output: str, group: Group, evidence: Evidence) -> Finding:
    limits = evidence.limits.parity
    raised = parity_violations(group, limits)
    base = evidence.base_parity.get(output, ())
    diagnosis = _diagnosis(evidence) if raised else None
    known = cause_by_rule(evidence, group) if raised else None
    file, line = place_of(diagnosis) if known is None else (known.file, known.line)
    return Finding(
        check=NAME,
        status=raised[0].status if raised else Status.PASS,
        subject=output,
        message=f"output `{output}`: {_failure(raised[0]) if raised else _pass(group, limits)}"
        + (sentence(diagnosis) if known is None else known.sentence),
        value=None if violations.unfit(group, Status.FAIL) else worst_relative_error(group),
        base=worst_relative_error(base),
        limit=limits.max_error,
        unit="of max",
        hint=_way_out(known, diagnosis, evidence) if raised else "",
        patch=patch(diagnosis, evidence.config.name),
        details=(
            *details(diagnosis),
            *(f"also: {violation.message}" for violation in raised[1:]),
            *(evidence.toolchain_changes if base else ()),
            *_no_floor(evidence, raised),
            *(sample_line(comparison) for comparison in group),
        ),
        file=file,
        line=line,
    )


def _way_out(known: CauseByRule | None, diagnosis: ParityDiagnosis | None, evidence: Evidence) -> str:
    """Of a cause that a rule knows its fix: no operation of the package is wrong there."""
    return (known.hint if known else way_out(diagnosis)) or evidence.other_weights or _HINT


def _diagnosis(evidence: Evidence) -> ParityDiagnosis | None:
    diagnosis = evidence.head.parity_diagnosis
    return diagnosis if diagnosis is not None and diagnosis.asked_by == "samples" else None


def _no_floor(evidence: Evidence, raised: tuple[Violation, ...]) -> tuple[str, ...]:
    source = evidence.head.source
    if not raised or source is None or not source.no_float64:
        return ()
    return (
        f"the source's own rounding is unknown, because it could not run in float64: {source.no_float64}",
    )


def _failure(violation: Violation) -> str:
    return f"{violation.message}: the conversion is wrong.{violation.remedy}"


def _pass(group: Group, limits: ParityLimits) -> str:
    worst = max(comparable(group), key=lambda comparison: comparison.relative_error)
    if worst.max_abs_error == 0:
        return f"equal to the source in {counted(len(group), 'sample')}."
    near_ties = violations.near_ties(group, limits.top1_margin)
    return f"{violations.describe_error(worst, limits.max_error)}.{near_ties}"


CHECK: Final = Check(
    NAME,
    "Does the package answer like the source in float32?",
    run,
    limit=f"{number(ParityLimits().max_error)} of the greatest value",
    absolute=True,
    numerical=True,
    column=Column(
        "Parity",
        "numbers",
        "greatest error of the worst output, as a share of the greatest reference value",
        figures.factor,
        figures.error,
        legend="Parity: greatest error ÷ greatest reference value, in float32.",
    ),
)
