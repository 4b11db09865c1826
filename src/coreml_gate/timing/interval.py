"""Exact confidence intervals of the median from signs alone, without assumptions about the noise."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache


@dataclass(frozen=True)
class Interval:
    """The median of a sample, and bounds of the true median; infinite if there are too few values."""

    median: float
    low: float
    high: float


def sign_interval(values: Sequence[float], alpha: float) -> Interval:
    """The interval that misses the true median with a probability of at most ``alpha``.

    Its ends are order statistics (Thompson 1936, doi:10.1214/aoms/1177732502): with n values, the k-th
    smallest lies above the median only if fewer than k of n fair coins show heads.
    """
    ordered = sorted(values)
    rank = _rank(len(ordered), alpha)
    if rank == 0:
        middle = statistics.median(ordered) if ordered else math.nan
        return Interval(middle, -math.inf, math.inf)
    return Interval(statistics.median(ordered), ordered[rank - 1], ordered[-rank])


def sign_p_value(values: Sequence[float], above: float) -> float:
    """The one-sided probability of as many values above ``above`` if the true median is not greater."""
    count = sum(value > above for value in values)
    tail = sum(math.comb(len(values), heads) for heads in range(count, len(values) + 1))
    return float(Fraction(tail, 2 ** len(values)))


@lru_cache(maxsize=4096)
def _rank(count: int, alpha: float) -> int:
    """The greatest k for which P(heads < k) <= alpha / 2 with ``count`` fair coins."""
    allowed = Fraction(alpha) / 2 * 2**count
    tail, rank = 0, 0
    while rank <= count // 2 and tail + math.comb(count, rank) <= allowed:
        tail += math.comb(count, rank)
        rank += 1
    return rank


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values: rejecting those of at most ``alpha`` keeps the error of the whole family at alpha.

    Step-down method of Holm 1979 (Scandinavian Journal of Statistics 6).
    """
    count = len(p_values)
    adjusted = [1.0] * count
    greatest = 0.0
    for rank, position in enumerate(sorted(range(count), key=p_values.__getitem__)):
        greatest = max(greatest, min(1.0, (count - rank) * p_values[position]))
        adjusted[position] = greatest
    return tuple(adjusted)
