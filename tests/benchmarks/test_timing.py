import itertools
from collections.abc import Callable

import pytest

from zoo.timing import geometric_mean, median_ratio, rotated, times_in_turns


class Clock:
    """A clock that runs advance."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float, log: list[str], name: str) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds
            log.append(name)

        return run


def test_every_round_starts_with_another_variant() -> None:
    assert [rotated(["a", "b", "c"], turn) for turn in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_times_are_per_run_and_a_fast_run_repeats() -> None:
    clock, log = Clock(), list[str]()
    runs = {"slow": clock.takes(0.5, log, "slow"), "fast": clock.takes(1 / 128, log, "fast")}
    times = times_in_turns(runs, rounds=2, clock=clock)
    assert times == {"slow": [0.5, 0.5], "fast": [1 / 128, 1 / 128]}
    measured = [(name, len(list(group))) for name, group in itertools.groupby(log)][-3:]
    assert measured == [("slow", 1), ("fast", 6), ("slow", 1)]


def test_a_round_that_is_slow_as_a_whole_does_not_change_the_ratio() -> None:
    assert median_ratio([1.0, 30.0, 1.1], [2.0, 60.0, 2.2]) == pytest.approx(0.5)


def test_twice_as_slow_and_twice_as_fast_make_one() -> None:
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
