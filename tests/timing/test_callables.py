"""Does the rule work for any Python callable, without an engine?"""

import itertools
import random
from collections.abc import Callable
from functools import partial

import pytest

from coreml_gate.timing.callables import MOST_GROUPS, compare_callables
from coreml_gate.timing.rule import PAIRS_PER_PROCESS


class World:
    """A clock that only the callables move on, in noise with heavy tails that drifts."""

    def __init__(self) -> None:
        self.now = 0.0
        self.noise = random.Random(5)

    def clock(self) -> float:
        return self.now

    def takes(self, seconds: float, noise: float) -> Callable[[], None]:
        def run() -> None:
            drift = 1 + 0.5 * (self.now % 7 > 3)
            self.now += seconds * drift * (1 + noise * self.noise.paretovariate(2))

        return run


@pytest.mark.parametrize(
    ("ratio", "noise", "call", "pairs"),
    [(1.0, 0.1, "not slower", 60), (1.10, 0.1, "slower", 60), (1.05, 20.0, "unsure", 200)],
)
def test_a_change_is_found_where_the_noise_lets_it_be_seen(
    ratio: float, noise: float, call: str, pairs: int
) -> None:
    world = World()
    compared = compare_callables(
        world.takes(0.06, noise), world.takes(0.06 * ratio, noise), 1.05, clock=world.clock
    )
    assert compared.decision.call == call
    assert compared.decision.pairs == pairs
    assert compared.self_test.is_sound
    assert (compared.self_test.smallest_change < 0.05) == (call != "unsure")


def diary_of(seed: int) -> str:
    """Who was called, in order: b for the base and its second copy, h for the head."""
    diary: list[str] = []
    ticks = itertools.count(step=0.06)
    base, head = (partial(diary.append, name) for name in "bh")
    compare_callables(base, head, 1.05, seed=seed, clock=ticks.__next__)
    return "".join(diary)


def test_any_callables_are_timed_in_the_order_of_the_seed() -> None:
    first, again, other = (diary_of(seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first.count("b") == 2 * first.count("h")


def test_the_real_clock_does_as_well() -> None:
    compared = compare_callables(lambda: sum(range(100)), lambda: sum(range(100)), 100.0)
    assert compared.decision.call == "not slower"
    assert compared.decision.pairs <= MOST_GROUPS * PAIRS_PER_PROCESS
