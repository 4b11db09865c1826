"""What the precision check asks of a package, for a search that cannot ask the check itself."""

from collections.abc import Iterable

from coreml_gate.config import PrecisionLimits
from coreml_gate.record import Comparison


def passes(comparisons: Iterable[Comparison], limits: PrecisionLimits) -> bool:
    """Would every comparison pass without so much as a warning?"""
    return all(_passes(comparison, limits) for comparison in comparisons)


def least_psnr(comparisons: Iterable[Comparison]) -> float | None:
    """The worst PSNR; ``None`` when all are exact. Differing patterns of NaN and infinities count as 0 dB."""
    values = (0.0 if each.nonfinite_mismatches else each.psnr for each in comparisons)
    return min((value for value in values if value is not None), default=None)


def _passes(comparison: Comparison, limits: PrecisionLimits) -> bool:
    top = comparison.top1
    return (
        comparison.same_shape
        and comparison.nonfinite_mismatches == 0
        and not comparison.unequal
        and (comparison.psnr is None or comparison.psnr >= max(limits.psnr, limits.warn_psnr))
        and (comparison.cosine is None or comparison.cosine >= limits.cosine)
        and (top is None or top.worst_gap <= limits.top1_margin)
    )
