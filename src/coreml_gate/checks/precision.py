"""Does half precision or compression cost the package that ships more accuracy than allowed?

The reference is the same package in float32, so a failure means that the precision is wrong, not the
conversion. The check has a result even if parity fails.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from math import inf
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence, file_and_line
from coreml_gate.checks.repair import repair_hint, repair_lines, repair_of
from coreml_gate.checks.rules import fix_in_words
from coreml_gate.config import Compression, ModelConfig
from coreml_gate.config.edit import table_with
from coreml_gate.config.limits import PrecisionLimits
from coreml_gate.criteria import (
    Group,
    Violation,
    also,
    by_output,
    gravest_first,
    least_psnr,
    precision_violations,
    sample_line,
    violations,
)
from coreml_gate.frozen import changed
from coreml_gate.record import RuleMatch
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, fallen, joined, number, passing_maximum, percent

NAME: Final = "precision"
_WRAP: Final = 2**16


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per output; its value is the lowest PSNR of all samples, or ``None`` if all are exact."""
    config = evidence.config
    if config.precision == "float32" and config.compress is None:
        return (_no_half('precision = "float32": nothing is rounded to FP16.'),)
    if evidence.computes_in_float32 and config.compress is None:
        return (_no_half("every operation of the package computes in float32: nothing is rounded to FP16."),)
    if not evidence.head.precision:
        return (evidence.unmeasured(NAME, "outputs", lost=Status.FAIL),)
    groups = by_output(evidence.head.precision)
    return _one_per_cause([_finding(output, group, evidence) for output, group in groups.items()], evidence)


def _one_per_cause(findings: Sequence[Finding], evidence: Evidence) -> tuple[Finding, ...]:
    """Join the failures that one wrapping cast causes in all outputs after it."""
    failed = [finding for finding in findings if finding.status is Status.FAIL]
    if len(failed) < 2 or _cast_that_wraps(evidence) is None:  # noqa: PLR2004 - one stands for itself
        return tuple(findings)
    worst = min(failed, key=lambda each: inf if each.value is None else each.value)
    names = joined([f"`{finding.subject}`" for finding in failed])
    conclusion = worst.message.removeprefix(f"output `{worst.subject}` is ")
    of_all = changed(
        worst,
        message=f"outputs {names} are {conclusion} The number is that of `{worst.subject}`.",
        details=tuple(f"`{each.subject}`: {line}" for each in failed for line in each.details),
    )
    return tuple(
        of_all if each is worst else each for each in findings if each is worst or each not in failed
    )


def _no_half(reason: str) -> Finding:
    """Skipped; its unit makes the table's column say `float32`."""
    return Finding(check=NAME, status=Status.SKIPPED, subject="outputs", message=reason, unit="float32")


def _finding(output: str, group: Group, evidence: Evidence) -> Finding:
    limits = evidence.limits.precision
    base = evidence.base_precision.get(output, ())
    least = None if violations.unfit(group, Status.UNSURE) else least_psnr(group)
    drop = _drop(least, base, limits, evidence.regression)
    raised = gravest_first((*precision_violations(group, limits), drop))
    if any(each.unequal for each in group) and _cast_that_wraps(evidence) is not None:
        raised = gravest_first(replace(each, status=Status.FAIL) for each in raised)
    file, line = _place(evidence) if raised else ("", None)
    return Finding(
        check=NAME,
        status=raised[0].status if raised else Status.PASS,
        subject=output,
        message=f"output `{output}`{_message(raised, drop, group, evidence)}",
        value=least,
        base=least_psnr(base),
        limit=limits.psnr,
        unit="dB",
        hint=_hint(evidence) if raised else "",
        patch=_patch(evidence) if raised else (),
        details=(
            *also(raised),
            *(repair_lines(repair_of(evidence.head, "fp16")) if raised else ()),
            *(evidence.toolchain_changes if base else ()),
            *(sample_line(comparison) for comparison in group),
        ),
        file=file,
        line=line,
    )


def _place(evidence: Evidence) -> tuple[str, int | None]:
    """The line of the first operation that half precision breaks, or that float32 is known to repair."""
    diagnosis, repair = evidence.head.diagnosis, repair_of(evidence.head, "fp16")
    hazards = [each for each in (() if diagnosis is None else diagnosis.hazards) if each.place]
    repairs = () if repair is None else repair.operations
    broken = (each.place for each in hazards if each.bites_in == "fp16")
    repaired = (each.place for each in hazards if each.operation in repairs)
    return file_and_line(next(chain(broken, repaired), ""))


def _drop(head_psnr: float | None, base: Group, limits: PrecisionLimits, status: Status) -> Violation | None:
    """A loss against the baseline, which matters only if the head is no longer comfortably good."""
    base_psnr = least_psnr(base)
    if not base or head_psnr is None or head_psnr >= limits.drop_matters_below:
        return None
    if base_psnr is None:
        return Violation(f"PSNR {head_psnr:.1f} dB, while the baseline is exact", status=status)
    drop = base_psnr - head_psnr
    if drop <= limits.max_psnr_drop:
        return None
    before, after = fallen(base_psnr, head_psnr, limits.max_psnr_drop)
    return Violation(
        f"PSNR fell from {before} (baseline) to {after}, allowed drop "
        f"{number(limits.max_psnr_drop)} dB (below {number(limits.drop_matters_below)} dB)",
        passes_with=f"max-psnr-drop = {passing_maximum(drop)}",
        excess=drop / limits.max_psnr_drop,
        status=status,
    )


def _message(raised: tuple[Violation, ...], drop: Violation | None, group: Group, evidence: Evidence) -> str:
    limits = evidence.limits.precision
    if raised:
        culprit = f" lost precision {_culprit(evidence.config)}"
        conclusion = culprit if raised[0] is drop else _conclusion(raised[0], evidence)
        return f"{conclusion}: {raised[0].message}.{raised[0].remedy}"
    least = least_psnr(group)
    near_ties = violations.near_ties(group, limits.top1_margin)
    if least is None:
        return f": equal to the float32 package in {counted(len(group), 'sample')}."
    return f": PSNR {least:.1f} dB, minimum {number(limits.psnr)} dB.{near_ties}"


def _conclusion(violation: Violation, evidence: Evidence) -> str:
    """What the figure means, as the end of a sentence about the output."""
    if violation.status is Status.FAIL:
        cast = _cast_that_wraps(evidence)
        if cast is not None:
            return f" is wrong, because `{cast.places[0].place}` cuts integers to 16 bits"
        return f" is wrong {_culprit(evidence.config)}"
    if violation.status is Status.UNSURE:
        return f" may be wrong {_culprit(evidence.config)}"
    return ""


def _cast_that_wraps(evidence: Evidence) -> RuleMatch | None:
    """The cast to 16 bits that causes a failure which rounding cannot.

    Either integers are off by a multiple of 2**16, or the diagnosis found nothing that half precision breaks.
    """
    wraps = any(
        each.unequal and each.max_abs_error and each.max_abs_error % _WRAP == 0
        for each in evidence.head.precision
    )
    casts = (
        match for match in evidence.head.rules or () if match.rule == "narrowed-integers" and match.places
    )
    return next(casts, None) if wraps or _half_breaks_nothing(evidence) else None


def _half_breaks_nothing(evidence: Evidence) -> bool:
    diagnosis = evidence.head.diagnosis
    if diagnosis is None or not diagnosis.errors:
        return False
    repair = repair_of(evidence.head, "fp16")
    is_repaired = repair is not None and bool(repair.patterns)
    return not is_repaired and not any(hazard.bites_in == "fp16" for hazard in diagnosis.hazards)


def _culprit(config: ModelConfig) -> str:
    half = "FP16" if config.precision == "float16" else ""
    if config.compress is None:
        return f"in {half}"
    weights = compressed_weights(config.compress)
    return f"with {weights} in {half}" if half else f"with {weights}"


def compressed_weights(options: Compression) -> str:
    """How the weights are compressed, in words: ``4-bit palettised weights``."""
    match options.method:
        case "palettize":
            return f"{options.bits}-bit palettised weights"
        case "prune":
            return f"weights pruned to {percent(options.sparsity)} zeros"
        case method:
            return f"{method} weights"


def _patch(evidence: Evidence) -> tuple[str, ...]:
    """The model's table with the verified repair, if there is one."""
    repair = repair_of(evidence.head, "fp16")
    if repair is None or repair.outcome != "found":
        return ()
    return table_with(evidence.config.name, "keep-fp32", repair.patterns)


def _hint(evidence: Evidence) -> str:
    config, cast = evidence.config, _cast_that_wraps(evidence)
    if cast is not None:
        return fix_in_words(cast.fix)[0]
    repair = repair_of(evidence.head, "fp16")
    if repair is not None:
        return repair_hint(repair)
    if config.compress is not None:
        pruned = config.compress.method == "prune"
        return (
            f"use {'less `sparsity`' if pruned else 'more bits, a smaller `block-size`,'} or no `compress`."
        )
    facts = evidence.head.conversion
    if evidence.head.compression is not None and facts is not None and facts.maker:
        return f"`{facts.maker}` compresses weights: use more bits, smaller blocks or less sparsity there."
    return 'keep values within FP16 (6e-5 to 65,504), or set precision = "float32" for this model.'


def _default_limit(limits: PrecisionLimits) -> str:
    return f"{number(limits.psnr)} dB, and {number(limits.max_psnr_drop)} dB against base"


CHECK: Final = Check(
    NAME,
    "Does the package stay accurate in FP16 and after compression?",
    run,
    limit=_default_limit(PrecisionLimits()),
    why=(
        "iPhones compute in FP16. An intermediate value above 65,504 becomes infinite, and a small one "
        "loses its digits, so the result is wrong although the conversion is right."
    ),
    fix=(
        "Use the `keep-fp32` that the finding proposes, which was converted and measured, or rewrite the "
        "operation that it names."
    ),
    accept="`limits.precision` sets the minimum PSNR; the metrics of `evaluate` show whether the task "
    "tolerates it.",
    page="docs/diagnose.md",
    absolute=True,
    numerical=True,
    column=Column(
        "FP16 PSNR",
        "numbers",
        "PSNR of the worst sample; `exact` if nothing is lost",
        figures.decibel_difference,
        figures.decibels,
        highest_is_worst=False,
        exact="exact",
        words=("float32",),
        legend="FP16 PSNR: worst sample against the float32 package; higher is better.",
    ),
)
