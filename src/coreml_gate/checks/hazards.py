"""Which operations does half precision break, and which does it nearly break?

A hazard that harms an output explains why the precision check fails. One that harms an output only in the
Neural Engine estimate, or only comes near a bound, is a warning. Operation names contain counters, so a
hazard counts as the baseline's if it is of the same kind and the programs' outlines pair the two operations.
"""

from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, file_and_line, skipped
from coreml_gate.checks.repair import repair_hint, repair_lines, repair_of
from coreml_gate.floats import GREATEST_HALF, LEAST_HALF
from coreml_gate.mil.diff_matching import plain_name
from coreml_gate.record import Diagnosis, Hazard, HazardKind, OperationError, Repair, Rewrite
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, number

NAME: Final = "hazards"
SUBJECT: Final = "operations"

_SAYS: Final[dict[HazardKind, str]] = {
    "overflow": "reaches {reaches}, FP16 max is {bound}",
    "accumulation": "sums up to {reaches} internally, an FP16 accumulator ends at {bound}",
    "vanishing": "gives values below {bound}, which are 0 in FP16",
    "epsilon": "has an epsilon below 6e-8, which is 0 in FP16, and an input down to {reaches}",
    "infinite-constant": "has a constant of {reaches}, which is infinite in FP16",
    "cliff": "leaves the range in which its FP16 formula is valid",
    "rounding": "loses {percent} % of its result to rounding",
    "cancellation": "cancels: an error of {given} % in its inputs becomes {percent} % in its result",
    "inherited": "has an error of {percent} %, its inputs one of {given} %",
    "whole-numbers": "reaches {reaches} and is read as whole numbers, which FP16 holds only up to {bound}",
}
_FEW_DIGITS: Final = "gives values below {bound}, of which FP16 keeps few digits"
_BEYOND_PERCENT: Final = 10.0
_HARM_UNKNOWN: Final = "; its effect on the outputs was not measured"
_ESTIMATE: Final = (
    "The Neural Engine estimate follows published measurements of M1, M2 Pro and M5 "
    "(docs/core-ml-truths.md); it is not a run on the engine."
)
_DRIFTS: Final = "has an error of {percent} % from an FP16 accumulator, without an overflow"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding on what harms an output, one on what may, or a pass if there is neither.

    A part that was left out adds a skipped finding; a diagnosis that did not finish is unsure.
    """
    diagnosis = evidence.head.diagnosis
    if diagnosis is None:
        return (_not_diagnosed(evidence),)
    harmful = tuple(hazard for hazard in diagnosis.hazards if hazard.bites_in == "fp16")
    risky = tuple(hazard for hazard in diagnosis.hazards if hazard.bites_in != "fp16")
    findings = (
        *([_finding(harmful, Status.FAIL, diagnosis, evidence)] if harmful else []),
        *([_finding(risky, Status.WARN, diagnosis, evidence)] if risky else []),
    )
    if diagnosis.note and not findings and not diagnosis.neural_engine:
        return (Finding(check=NAME, status=Status.UNSURE, subject=SUBJECT, message=diagnosis.note),)
    left_out = (skipped(NAME, SUBJECT, diagnosis.note),) if diagnosis.note else ()
    return (*(findings or (_nothing(diagnosis),)), *left_out)


def _not_diagnosed(evidence: Evidence) -> Finding:
    source = evidence.head.source
    if evidence.config.precision == "float32" and (source is None or source.kind != "package"):
        return skipped(NAME, SUBJECT, 'precision = "float32": nothing is computed in FP16.')
    if evidence.head.problem is not None or evidence.head.package is None:
        return evidence.unmeasured(NAME, SUBJECT)
    return skipped(NAME, SUBJECT, "not run: the diagnosis is off.")


def _nothing(diagnosis: Diagnosis) -> Finding:
    """A pass; if a part was left out, it claims only what ranges show."""
    bounds = "65,504, the FP16 maximum" if diagnosis.note else "the bounds of FP16"
    message = f"no operation that affects an output comes near {bounds}."
    return Finding(check=NAME, status=Status.PASS, subject=SUBJECT, message=message)


def _finding(
    hazards: tuple[Hazard, ...], status: Status, diagnosis: Diagnosis, evidence: Evidence
) -> Finding:
    known = {hazard.operation: _base_of(hazard, evidence) for hazard in hazards}
    ordered = sorted(hazards, key=lambda hazard: known[hazard.operation] is not None)
    first = ordered[0]
    base = known[first.operation]
    rest = len(ordered) - 1
    more = f" {counted(rest, 'more operation')}: see the details." if rest else ""
    on_engine = any(hazard.bites_in == "neural-engine" for hazard in hazards)
    repair = repair_of(evidence.head, "neural-engine") if on_engine else None
    file, line = file_and_line(first.place)
    return Finding(
        check=NAME,
        status=status,
        subject=first.operation,
        message=f"{_new(base, evidence)}{_describe(first)}{_change(first, base)}.{more}",
        value=first.headroom if first.kind == "overflow" else None,
        base=base.headroom if base is not None and first.kind == "overflow" else None,
        unit="x" if first.kind == "overflow" else "",
        hint=" ".join(filter(None, (_engine_repair(repair), _hint(ordered, diagnosis.rewrites)))),
        details=(
            *(_describe(hazard) for hazard in ordered[1:]),
            *([_ESTIMATE] if on_engine else []),
            *repair_lines(repair),
            *(line for rewrite in diagnosis.rewrites for line in _rewrite_lines(rewrite)),
            *(_error_line(error) for error in diagnosis.errors),
        ),
        file=file,
        line=line,
    )


def _describe(hazard: Hazard) -> str:
    text = _saying(hazard).format(
        reaches=number(hazard.reaches),
        bound=_bound(hazard.bound),
        percent=_percent(hazard.reaches),
        given=_percent(hazard.bound),
    )
    place = f", {hazard.place}" if hazard.place else ""
    module = f" of `{hazard.module}`" if hazard.module else ""
    headroom = "" if hazard.bites_in is not None else _HARM_UNKNOWN
    if hazard.bites_in is None and hazard.headroom >= 1:
        headroom = f": {hazard.headroom:.1f}x below overflow"
    where = " (Neural Engine estimate only)" if hazard.bites_in == "neural-engine" else ""
    return f"`{hazard.operation}` ({hazard.operation_type}{module}{place}) {text}{headroom}{where}"


def _bound(value: float) -> str:
    return f"{value:,.0f}" if value == GREATEST_HALF else number(value, 5 if value > 1 else 3)


def _saying(hazard: Hazard) -> str:
    if hazard.kind == "accumulation" and hazard.bound < 1:
        return _DRIFTS
    if hazard.kind == "vanishing" and hazard.bound > LEAST_HALF:
        return _FEW_DIGITS
    return _SAYS[hazard.kind]


def _percent(share: float) -> str:
    """A share in per cent, in two digits and without an exponent."""
    if share >= _BEYOND_PERCENT:
        return f"more than {100 * _BEYOND_PERCENT:.0f}"
    return number(100 * share, 2) if share < 1 else f"{100 * share:.0f}"


def _new(base: Hazard | None, evidence: Evidence) -> str:
    return "new in this change: " if base is None and evidence.base is not None else ""


def _change(hazard: Hazard, base: Hazard | None) -> str:
    if base is None or hazard.kind != "overflow" or base.reaches == hazard.reaches:
        return ""
    return f" (baseline: {number(base.reaches)})"


def _base_of(hazard: Hazard, evidence: Evidence) -> Hazard | None:
    """The same hazard in the baseline: of the same kind, at the corresponding operation."""
    diagnosis = evidence.before.diagnosis
    if diagnosis is None:
        return None
    alike = [known for known in diagnosis.hazards if known.kind == hazard.kind]
    if evidence.partners is None:
        return next((known for known in alike if _described(known) == _described(hazard)), None)
    name = plain_name(hazard.operation)
    there = evidence.partners.get(name, name)  # an input is none of the operations
    return next((known for known in alike if plain_name(known.operation) == there), None)


def _described(hazard: Hazard) -> tuple[str, str]:
    """The key for operations of two programs that cannot be paired."""
    return hazard.module, hazard.operation_type


def _hint(hazards: list[Hazard], rewrites: tuple[Rewrite, ...]) -> str:
    names = {hazard.operation for hazard in hazards}
    fitting = [rewrite for rewrite in rewrites if rewrite.operation in names]
    if not fitting:
        return ""
    return f"better than FP32: {fitting[0].title}: `{fitting[0].code[-1].partition('  #')[0]}`."


def _engine_repair(repair: Repair | None) -> str:
    """The optional repair for the Neural Engine, where half precision itself passes."""
    if repair is None:
        return ""
    if not repair.patterns:
        return f"no repair for the Neural Engine was found ({repair.outcome})."
    return f"for the Neural Engine only: {repair_hint(repair)}"


def _rewrite_lines(rewrite: Rewrite) -> tuple[str, ...]:
    return (f"rewrite at `{rewrite.operation}`: {rewrite.title}", *(f"    {line}" for line in rewrite.code))


def _error_line(error: OperationError) -> str:
    own = "not finite" if error.nonfinite else number(error.own, 2)
    return (
        f"{error.mode} error of `{error.operation}` ({error.operation_type}): own {own}, "
        f"with inherited error {number(error.inherited, 2)}"
    )


CHECK: Final = Check(
    NAME,
    "Does FP16 break an operation, or nearly break it?",
    run,
    limit="none that harms an output",
    why=(
        "On the samples, the operation overflows or loses most of its digits in FP16; other inputs may "
        "reach larger values."
    ),
    fix="The finding has the line and, for known patterns such as RMSNorm, the code that cannot overflow.",
    accept="Keep the operation in float32 with `keep-fp32`.",
    page="docs/diagnose.md",
)
