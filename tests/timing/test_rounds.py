"""Are callables timed as pairs in random order, after a warm-up, with disturbed rounds left out?"""

import math
import random
from collections.abc import Callable
from itertools import count

import pytest

from coreml_gate.timing.rounds import (
    LONG_WARM_UP_ROUNDS,
    MOST_CALLS,
    MOST_WARM_UP_ROUNDS,
    WARM_UP_ROUNDS,
    Rounds,
    on_clock,
    percentile_95,
    time_rounds,
)


class World:
    """A clock that only the callables move on, and a diary of who was called."""

    def __init__(self) -> None:
        self.now = 0.0
        self.diary: list[str] = []

    def call(self, name: str, seconds: Callable[[int], float]) -> Callable[[], float]:
        numbers = count()

        def run() -> None:
            self.now += seconds(next(numbers))
            self.diary.append(name)

        return on_clock(run, self.clock)

    def clock(self) -> float:
        return self.now


def timed(world: World, base: Callable[[int], float], head: Callable[[int], float], seed: int = 1) -> Rounds:
    callables = {"base": world.call("base", base), "head": world.call("head", head)}
    return time_rounds(callables, 40, order=random.Random(seed))


def test_the_ratio_of_each_round_is_head_by_base() -> None:
    rounds = timed(World(), lambda _: 0.010, lambda _: 0.011)
    assert rounds.log_ratios("base", "head") == pytest.approx([math.log(1.1)] * 40)
    assert rounds.log_ratio_of_tails("base", "head") == pytest.approx(math.log(1.1))
    assert (rounds.warm_up, rounds.settled, rounds.dropped) == (WARM_UP_ROUNDS, True, 0)


def test_the_order_inside_of_a_round_is_random_and_the_seed_repeats_it() -> None:
    diaries = []
    for seed in (1, 1, 2):
        world = World()
        timed(world, lambda _: 0.06, lambda _: 0.06, seed)
        diaries.append(world.diary)
    assert diaries[0] == diaries[1] != diaries[2]
    pairs = [tuple(diaries[0][start : start + 2]) for start in range(0, len(diaries[0]), 2)]
    assert set(pairs) == {("base", "head"), ("head", "base")}
    assert 20 < sum(pair[0] == "base" for pair in pairs) < 50


def test_short_calls_are_gathered_to_a_sample_and_long_ones_stand_alone() -> None:
    rounds = timed(World(), lambda _: 0.001, lambda _: 0.001)
    assert len(rounds.calls["base"]) == 10 * 40
    assert rounds.samples["base"][0] == pytest.approx(0.001)
    assert len(timed(World(), lambda _: 1e-7, lambda _: 1e-7).calls["base"]) == MOST_CALLS * 40
    assert len(timed(World(), lambda _: 0.5, lambda _: 0.5).calls["base"]) == 40


def test_warm_up_goes_on_until_the_times_stay_at_one_level() -> None:
    rounds = timed(World(), lambda number: 0.05 if number < 22 else 0.01, lambda _: 0.01)
    assert rounds.warm_up == 2 * WARM_UP_ROUNDS
    assert rounds.settled
    assert max(rounds.samples["base"]) == pytest.approx(0.01)


def test_one_disturbed_call_of_a_sample_disturbs_only_the_tail() -> None:
    rounds = timed(World(), lambda _: 0.01, lambda number: 0.5 if number % 10 == 0 else 0.01)
    assert rounds.log_ratios("base", "head") == pytest.approx([0.0] * 40)
    assert rounds.log_ratio_of_tails("base", "head") == pytest.approx(math.log(50))


def test_long_calls_warm_up_in_as_few_rounds_as_can_show_a_change() -> None:
    assert timed(World(), lambda _: 0.5, lambda _: 0.5).warm_up == LONG_WARM_UP_ROUNDS
    falling = timed(World(), lambda number: 1.0 if number < 7 else 0.5, lambda _: 0.5)
    assert (falling.warm_up, falling.settled) == (2 * LONG_WARM_UP_ROUNDS, True)
    assert max(falling.samples["base"]) == pytest.approx(0.5)


def test_times_that_never_settle_are_measured_and_named() -> None:
    rounds = timed(World(), lambda number: 1.0 / (number + 1), lambda _: 0.01)
    assert (rounds.warm_up, rounds.settled) == (MOST_WARM_UP_ROUNDS, False)
    assert len(rounds.samples["base"]) == 40


def test_rounds_in_which_the_machine_changed_its_state_are_dropped() -> None:
    world = World()
    states = iter([0, 0, 0, 1, 1, 1] + [1] * 4)
    rounds = time_rounds(
        {"base": world.call("base", lambda _: 0.01)},
        5,
        order=random.Random(1),
        state=lambda: next(states),
    )
    assert (len(rounds.samples["base"]), rounds.dropped) == (4, 1)


def test_the_95th_percentile_leaves_one_of_twenty_out() -> None:
    assert percentile_95([float(value) for value in range(1, 21)]) == 19
    assert percentile_95([3.0]) == 3


def test_what_has_its_own_clock_is_believed() -> None:
    """Half of each call is Python's work around it, which its own clock leaves out."""
    world = World()

    def own(seconds: float) -> Callable[[], float]:
        def run() -> float:
            world.now += 2 * seconds
            return seconds

        return run

    rounds = time_rounds({"base": own(0.010), "head": own(0.0105)}, 20, order=random.Random(1))
    assert rounds.samples["base"] == (0.010,) * 20
    assert rounds.log_ratios("base", "head") == pytest.approx([math.log(1.05)] * 20)


def test_a_clock_that_is_too_coarse_gives_a_ratio_all_the_same() -> None:
    rounds = time_rounds({"base": lambda: 0.0, "head": lambda: 0.0}, 5, order=random.Random(1))
    assert rounds.log_ratios("base", "head") == (0.0,) * 5
