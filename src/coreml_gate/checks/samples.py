"""All samples of one output as one thing: a person reads one finding per output, not one per sample."""

from collections.abc import Iterable, Sequence

from coreml_gate.checks.wording import SIDES, number, percent
from coreml_gate.record import Comparison, Place

Group = Sequence[Comparison]
"""All samples of one output."""


def by_output(comparisons: Iterable[Comparison]) -> dict[str, tuple[Comparison, ...]]:
    """The comparisons of each output, in the order in which the outputs appear."""
    groups: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault(comparison.output, []).append(comparison)
    return {output: tuple(group) for output, group in groups.items()}


def comparable(group: Group) -> tuple[Comparison, ...]:
    """The samples with figures: those whose shapes agree."""
    return tuple(comparison for comparison in group if comparison.same_shape)


def worst_relative_error(group: Group) -> float | None:
    """The greatest error of all samples as a share of its sample's greatest value."""
    return max((comparison.relative_error for comparison in comparable(group)), default=None)


def least_psnr(group: Group) -> float | None:
    """The lowest PSNR of all samples; ``None`` when every sample is exact."""
    return min((each.psnr for each in comparable(group) if each.psnr is not None), default=None)


def values_at(comparison: Comparison, place: Place | None) -> str:
    """`` (source 1.2, float32 package 1.51)``, or nothing without a place."""
    if place is None:
        return ""
    return (
        f" ({SIDES[comparison.reference]} {number(place.reference, 5)}, "
        f"{SIDES[comparison.candidate]} {number(place.candidate, 5)})"
    )


def sample_line(comparison: Comparison) -> str:
    """All figures of one sample in one line, for the details."""
    if not comparison.same_shape:
        shapes = f"{comparison.candidate_shape}, not {comparison.reference_shape}"
        return f"sample {comparison.sample}: shape {shapes}"
    figures = [
        f"{comparison.nonfinite_mismatches} non-finite mismatches" if comparison.nonfinite_mismatches else "",
        f"{comparison.unequal} of {comparison.elements} integers differ" if comparison.unequal else "",
        _error_figures(comparison),
        "" if comparison.psnr is None else f"{comparison.psnr:.1f} dB",
        "" if comparison.cosine is None else f"cosine {number(comparison.cosine, 7)}",
        _top_one_figures(comparison),
    ]
    return f"sample {comparison.sample}: " + ", ".join(figure for figure in figures if figure)


def _error_figures(comparison: Comparison) -> str:
    if comparison.max_abs_place is None:
        return "no finite difference"
    relative = comparison.max_rel_place
    return (
        f"greatest difference {number(comparison.max_abs_error)} at {comparison.max_abs_place.index}, "
        f"{number(comparison.relative_error, 2)} of max"
        + (f", element-wise {number(comparison.max_rel_error, 2)} at {relative.index}" if relative else "")
    )


def _top_one_figures(comparison: Comparison) -> str:
    top = comparison.top1
    if top is None:
        return ""
    if top.disagreements == 0:
        return f"best class equal in {top.rows} of {top.rows} rows (least gap {percent(top.least_gap)})"
    return (
        f"best class differs in {top.disagreements} of {top.rows} rows (gaps up to {percent(top.worst_gap)})"
    )
