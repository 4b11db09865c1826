"""Times that can be compared: taken in turns, in a rotated order, and divided within each round."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

WARM_UP_RUNS = 3
LEAST_SECONDS = 0.02
"""A model that is faster runs several times per round, so that the clock and the caches weigh less."""

Runs = Mapping[str, Callable[[], object]]


def times_in_turns(
    runs: Runs, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds per run of each, one number a round; every round starts with another one."""
    for run in runs.values():
        for _ in range(WARM_UP_RUNS):
            run()
    repeats = {name: _repeats(_seconds(run, 1, clock)) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in rotated(list(runs), turn):
            times[name].append(_seconds(runs[name], repeats[name], clock))
    return times


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """The names from the ``turn``-th on, then those before it."""
    start = turn % len(names)
    return [*names[start:], *names[:start]]


def median_ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """Median of the quotients of each round: what slows a whole round down cancels out."""
    return statistics.median(one / other for one, other in zip(times, reference, strict=True))


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean that suits quotients: twice as slow and twice as fast make 1."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def _repeats(seconds: float) -> int:
    return max(1, math.ceil(LEAST_SECONDS / seconds))


def _seconds(run: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(repeats):
        run()
    return (clock() - started) / repeats
