"""Groups comparisons by output, because a person reads one finding per output, not one per sample."""

from collections.abc import Iterable, Sequence

from coreml_gate.record import Comparison

Group = Sequence[Comparison]
"""All samples of one output."""


def by_output(comparisons: Iterable[Comparison]) -> dict[str, tuple[Comparison, ...]]:
    """The comparisons of each output, in order of appearance."""
    groups: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault(comparison.output, []).append(comparison)
    return {output: tuple(group) for output, group in groups.items()}


def comparable(group: Group) -> tuple[Comparison, ...]:
    """The samples with figures, which are those whose shapes agree."""
    return tuple(comparison for comparison in group if comparison.same_shape)


def worst_relative_error(group: Group) -> float | None:
    """The greatest error of all samples, as a share of the sample's greatest value."""
    return max((comparison.relative_error for comparison in comparable(group)), default=None)


def least_psnr(comparisons: Iterable[Comparison]) -> float | None:
    """The lowest PSNR in dB; ``None`` if every sample is exact.

    A sample with NaN or infinities in other places than the reference counts as 0 dB, because the PSNR of its
    remaining elements could look good.
    """
    compared = (each for each in comparisons if each.same_shape)
    values = (0.0 if each.nonfinite_mismatches else each.decibels for each in compared)
    return min((value for value in values if value is not None), default=None)
