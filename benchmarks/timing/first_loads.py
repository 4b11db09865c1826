"""Does what happens after loading look like a regression? Simulated: no Mac was measured.

    python benchmarks/timing/first_loads.py

After a load the first predictions are slower: memory is touched for the first time, the hardware's program is
read, caches fill. Each machine here falls back to one level in its own way, and of the copies that a process
loads the first pays most. Judged are the gate's own rounds with its own search for the end of the warm-up.
"""

import math
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from coreml_gate.measurements.core_ml_timing import AGAIN, BASE, HEAD, ORDERS
from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS, decide
from coreml_gate.timing.rounds import time_rounds
from coreml_gate.timing.self_test import judge_self_test

TRIALS = 1000
OWN_S = 1.2e-3
TICK_S = 1 / 24e6
SPREAD = 0.02
LIMIT = 1.05
PROCESSES = LOOKS[-1] // PAIRS_PER_PROCESS
OTHERS_CALLS = 50
"""Calls of each package that a rule without a warm-up of its own takes, after throwing three away."""


@dataclass(frozen=True)
class Load:
    """How predictions come down after a load."""

    name: str
    first: float
    """How many times as long the first prediction takes."""
    fades: float
    """Calls after which e times less of the excess is left; 0: the first call alone is slow."""
    first_pays: float = 1.0
    """The excess of what is loaded first, as a multiple of that of the others."""

    def excess(self, call: int, place: int) -> float:
        """What the call takes on top, as a share of a prediction."""
        fading = math.exp(-call / self.fades) if self.fades else float(call == 0)
        return (self.first - 1) * fading * (self.first_pays if place == 0 else 1.0)


LOADS = (
    Load("no effect", first=1.0, fades=0),
    Load("first call takes 100 times as long", first=100.0, fades=0),
    Load("first calls take 3 times as long, gone after 100", first=3.0, fades=20),
    Load("the same, and what is loaded first pays double", first=3.0, fades=20, first_pays=2.0),
    Load(
        "slow to come down: 30 % for hundreds of calls, the first double",
        first=1.3,
        fades=150,
        first_pays=2.0,
    ),
)


class Process:
    """Base, head, and the base again; which is loaded first changes from process to process."""

    def __init__(self, load: Load, ratio: float, draw: random.Random, number: int) -> None:
        names = ORDERS[number % len(ORDERS)]
        self._load, self._draw = load, draw
        self._place = {name: place for place, name in enumerate(names)}
        self._calls = dict.fromkeys(names, 0)
        self._ratio = {BASE: 1.0, HEAD: ratio, AGAIN: 1.0}

    def timed(self, name: str) -> Callable[[], float]:
        """One prediction of a package, in seconds by a clock of 24 MHz."""

        def call() -> float:
            excess = self._load.excess(self._calls[name], self._place[name])
            self._calls[name] += 1
            seconds = OWN_S * self._ratio[name] * math.exp(self._draw.gauss(0, SPREAD)) * (1 + excess)
            return round(seconds / TICK_S) * TICK_S

        return call


def without_a_search(load: Load, ratio: float, draw: random.Random) -> bool:
    """The ratio of means of one process, base first, after three calls that are thrown away."""
    process = Process(load, ratio, draw, draw.randrange(len(ORDERS)))
    means = []
    for name in (BASE, HEAD):
        call = process.timed(name)
        means.append(statistics.fmean([call() for _ in range(OTHERS_CALLS + 3)][3:]))
    return means[1] / means[0] > LIMIT


def by_the_gate(load: Load, ratio: float, draw: random.Random) -> tuple[str, float, int]:
    """The word, the smallest change that would have been seen, and the rounds of the warm-up."""
    pairs, again, warm_up = [], [], []
    start = draw.randrange(len(ORDERS))
    for number in range(PROCESSES):
        process = Process(load, ratio, draw, start + number)
        calls = {name: process.timed(name) for name in (BASE, HEAD, AGAIN)}
        rounds = time_rounds(calls, PAIRS_PER_PROCESS, order=draw)
        pairs.append(rounds.log_ratios(BASE, HEAD))
        again.append(rounds.log_ratios(BASE, AGAIN))
        warm_up.append(rounds.warm_up)
        call = decide(pairs, LIMIT).call
        if call != "unsure":
            break
    self_test = judge_self_test(again)
    word = call if self_test.is_sound else "unsure"
    return word, self_test.smallest_change, round(statistics.median(warm_up))


def lines() -> Iterator[str]:
    yield "| after a load | true change | ratio of means | slower | not slower | smallest seen | warm-up |"
    yield "|---|---|---|---|---|---|---|"
    for load in LOADS:
        for ratio in (1.0, 1.08):
            draw = random.Random(3)
            others = sum(without_a_search(load, ratio, draw) for _ in range(TRIALS)) / TRIALS
            results = [by_the_gate(load, ratio, draw) for _ in range(TRIALS)]
            shares = [sum(each[0] == call for each in results) / TRIALS for call in ("slower", "not slower")]
            smallest = statistics.median(each[1] for each in results)
            warm_up = statistics.median(each[2] for each in results)
            cells = " | ".join(f"{each:.1%}" for each in (others, *shares, smallest))
            yield f"| {load.name} | {ratio - 1:+.0%} | {cells} | {warm_up:.0f} |"


def main() -> None:
    for line in lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
