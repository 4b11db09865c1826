"""Judges the loss by half precision, compression or an engine, for checks, child and search alike."""

from collections.abc import Iterable

from coreml_gate.config.limits import PrecisionLimits
from coreml_gate.criteria import violations
from coreml_gate.criteria.by_output import Group, least_psnr
from coreml_gate.criteria.violations import Violation, gravest_first
from coreml_gate.record import Comparison
from coreml_gate.verdict import Status
from coreml_gate.wording import apart, decibels, number, passing_minimum


def engine_violations(
    group: Group, limits: PrecisionLimits, psnr: float | None = None
) -> tuple[Violation, ...]:
    """All violations of an output computed in half precision.

    Integers that differ are unsure: the scores behind them, which would separate a near-tie from a fault, are
    not outputs.

    :param psnr: The minimum PSNR in dB, if not that of the limits.
    """
    return gravest_first((*violations.unfit(group, Status.UNSURE), *figure_violations(group, limits, psnr)))


def figure_violations(
    group: Group, limits: PrecisionLimits, psnr: float | None = None
) -> tuple[Violation, ...]:
    """The violations of figures only; each names the limit that would pass."""
    return gravest_first(
        (
            violations.psnr(group, limits.psnr if psnr is None else psnr),
            violations.cosine(group, limits.cosine),
            violations.top_one(group, limits.top1_margin),
        )
    )


def precision_violations(group: Group, limits: PrecisionLimits) -> tuple[Violation, ...]:
    """All violations of an output of the package that ships, including a PSNR close to its limit."""
    return gravest_first((*engine_violations(group, limits), _near_limit(group, limits)))


def keeps_precision(comparisons: Iterable[Comparison], limits: PrecisionLimits) -> bool:
    """Whether every comparison satisfies the rule without a warning."""
    return not any(precision_violations((comparison,), limits) for comparison in comparisons)


def _near_limit(group: Group, limits: PrecisionLimits) -> Violation | None:
    least = least_psnr(group)
    if least is None or not limits.psnr <= least < limits.warn_psnr:
        return None
    shown, wanted = apart(least, limits.warn_psnr, decibels)
    return Violation(
        f"PSNR {shown} is above the minimum of {number(limits.psnr)} dB, but below the {wanted} dB that FP16 "
        "should reach",
        passes_with=f"warn-psnr = {passing_minimum(least, 3)}",
        status=Status.WARN,
        excess=violations.amplitude_ratio(limits.warn_psnr - least),
    )
