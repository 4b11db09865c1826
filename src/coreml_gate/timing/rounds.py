"""Times several callables in one process: one call of each per round, in random order.

While the machine's speed drifts, only a random order within each round is fair (docs/timing.md has the
measured false alarms of other designs). The end of the warm-up is found in the times themselves, not by a
fixed count.
"""

import math
import random
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SAMPLE_S: Final = 0.01
"""A sample is the median of as many calls as fit into this time, so that one disturbed call has no effect."""
LEAST_CALLS: Final = 5
MOST_CALLS: Final = 20
LONG_CALL_S: Final = 0.05
"""Longer calls are samples by themselves: they average out, and five of them would take too long."""
WARM_UP_ROUNDS: Final = 30
LONG_WARM_UP_ROUNDS: Final = 15
"""Warm-up rounds of long calls if no fall is found; with 14 or more, the test can find one in the middle."""
MOST_WARM_UP_ROUNDS: Final = 120
_LATE: Final = 2 / 3
"""A level that begins in the last third of the warm-up may not be the final one."""
Call = Callable[[], object]
Timed = Callable[[], float]
"""Calls once and returns the seconds that it took, by the clock that suits it."""
State = Callable[[], object]
"""Reads the machine's thermal and power state, which must not change within a round."""
ALPHA: Final = 0.01
_LEAST: Final = 5
"""Least number of calls on either side of a change of level."""


@dataclass(frozen=True)
class Rounds:
    """The times of all callables by name; those of one round have the same index."""

    samples: Mapping[str, tuple[float, ...]]
    """Seconds per call, the median of the calls of a sample."""
    calls: Mapping[str, tuple[float, ...]]
    """Seconds of each call."""
    warm_up: int
    """Rounds discarded until the times stayed at one level."""
    settled: bool
    dropped: int = 0
    """Rounds during which the machine's state changed."""

    def log_ratios(self, base: str, head: str) -> tuple[float, ...]:
        """ln(head / base) of each round."""
        pairs = zip(self.samples[base], self.samples[head], strict=True)
        return tuple(math.log(of_head / of_base) for of_base, of_head in pairs)

    def log_ratio_of_tails(self, base: str, head: str) -> float:
        """ln(head / base) of the 95th percentiles of single calls."""
        return math.log(percentile_95(self.calls[head]) / percentile_95(self.calls[base]))


def percentile_95(seconds: Sequence[float]) -> float:
    """The time within which 95 % of the calls are done."""
    ordered = sorted(seconds)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def on_clock(call: Call, clock: Callable[[], float]) -> Timed:
    """A call timed from outside, for callables without a clock of their own."""

    def timed() -> float:
        start = clock()
        call()
        return clock() - start

    return timed


def time_rounds(
    callables: Mapping[str, Timed], count: int, *, order: random.Random, state: State = lambda: None
) -> Rounds:
    """Warm up until the times have settled, then time ``count`` rounds."""
    warm_up, settled = _warm_up(callables, order)
    calls = calls_per_sample(_typical(warm_up))
    rounds, dropped = [], 0
    for _ in range(count):
        before = state()
        timed = _round(callables, calls, order)
        if state() == before:
            rounds.append(timed)
        else:
            dropped += 1
    return Rounds(
        samples={name: tuple(statistics.median(each[name]) for each in rounds) for name in callables},
        calls={name: tuple(second for each in rounds for second in each[name]) for name in callables},
        warm_up=len(warm_up),
        settled=settled,
        dropped=dropped,
    )


def _warm_up(
    callables: Mapping[str, Timed], order: random.Random
) -> tuple[list[dict[str, list[float]]], bool]:
    """Rounds of one call each until the times stay at one level, and whether they do."""
    rounds: list[dict[str, list[float]]] = []
    while len(rounds) < MOST_WARM_UP_ROUNDS:
        rounds += [_round(callables, 1, order) for _ in range(LONG_WARM_UP_ROUNDS)]
        due = LONG_WARM_UP_ROUNDS if _typical(rounds) >= LONG_CALL_S else WARM_UP_ROUNDS
        if len(rounds) % due == 0 and _has_settled(rounds):
            return rounds, True
    return rounds, False


def _round(callables: Mapping[str, Timed], calls: int, order: random.Random) -> dict[str, list[float]]:
    """One round; a time of 0 from a coarse clock counts as one nanosecond, because ratios need a time."""
    names = list(callables)
    order.shuffle(names)
    return {name: [max(callables[name](), 1e-9) for _ in range(calls)] for name in names}


def _has_settled(warm_up: Sequence[Mapping[str, Sequence[float]]]) -> bool:
    late = _LATE * len(warm_up) if len(warm_up) >= WARM_UP_ROUNDS else 0
    return all(settled_from([each[name][0] for each in warm_up]) <= late for name in warm_up[0])


def _typical(rounds: Sequence[Mapping[str, Sequence[float]]]) -> float:
    """Seconds per call of the fastest callable, late in the warm-up."""
    late = rounds[-LONG_WARM_UP_ROUNDS:]
    return min(statistics.median(each[name][0] for each in late) for name in rounds[0])


def calls_per_sample(seconds: float) -> int:
    """The number of calls of this length in a sample."""
    if seconds >= LONG_CALL_S:
        return 1
    return max(LEAST_CALLS, min(MOST_CALLS, math.ceil(SAMPLE_S / seconds)))


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
    """The paper's one-sided approximation."""
    return math.exp(-6 * statistic**2 / (count**3 + count**2))


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of their ranks."""
    ordered = sorted(values)
    return [(bisect_left(ordered, value) + bisect_right(ordered, value) + 1) / 2 for value in values]
