"""From which call on do times stay at one level? Found in the times themselves, never a fixed count."""

import math
import statistics
from collections.abc import Sequence
from typing import Final

ALPHA: Final = 0.01
_LEAST: Final = 5
"""A level needs so many calls on either side of a change."""


def settled_from(seconds: Sequence[float]) -> int:
    """The index of the first call after the last fall of the level; 0 when there was none.

    A later rise is not a warm-up and stays in. Each fall is found with Pettitt's test (1979,
    doi:10.2307/2346729), which uses ranks, so that one slow call is not taken for a level.
    """
    start = 0
    while (change := _fall(seconds[start:])) is not None:
        start += change
    return start


def _fall(seconds: Sequence[float]) -> int | None:
    count = len(seconds)
    if count < 2 * _LEAST:
        return None
    total, greatest, place = 0.0, 0.0, 0
    for index, rank in enumerate(_ranks(seconds), start=1):
        total += 2 * rank - (count + 1)
        if total > greatest and _LEAST <= index <= count - _LEAST:
            greatest, place = total, index
    if _pettitt_p_value(greatest, count) > ALPHA:
        return None
    before, after = statistics.median(seconds[:place]), statistics.median(seconds[place:])
    return place if before > after else None


def _pettitt_p_value(statistic: float, count: int) -> float:
    """One-sided approximation of the paper."""
    return math.exp(-6 * statistic**2 / (count**3 + count**2))


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, equal values sharing the middle of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for position in order[first : last + 1]:
            ranks[position] = (first + last) / 2 + 1
        first = last + 1
    return ranks
