"""Whether one Python callable is slower than another, by the rounds and the rule used for packages."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coreml_gate.timing.rounds import Call, on_clock, time_rounds
from coreml_gate.timing.rule import ALPHA, LOOKS, PAIRS_PER_PROCESS, Decision, decide, is_settled
from coreml_gate.timing.self_test import SelfTest, judge_self_test

_BASE, _HEAD, _AGAIN = "base", "head", "again"
MOST_GROUPS: Final = LOOKS[-1] // PAIRS_PER_PROCESS


@dataclass(frozen=True)
class Compared:
    """The decision, and the smallest change that this machine could have detected."""

    decision: Decision
    self_test: SelfTest


def compare_callables(
    base: Call,
    head: Call,
    max_ratio: float,
    *,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    alpha: float = ALPHA,
) -> Compared:
    """Time both until it is known on which side of ``max_ratio`` the head is, or all looks are used up.

    All pairs come from this one process, so the effects of a process's start (memory layout) do not vary,
    unlike for packages.
    """
    order = random.Random(seed)  # noqa: S311 - an order, not a secret
    calls = {_BASE: base, _HEAD: head, _AGAIN: base}
    callables = {name: on_clock(call, clock) for name, call in calls.items()}
    ratios: list[tuple[float, ...]] = []
    again: list[tuple[float, ...]] = []
    while len(ratios) < MOST_GROUPS and not (ratios and is_settled(ratios, max_ratio, alpha)):
        rounds = time_rounds(callables, PAIRS_PER_PROCESS, order=order)
        ratios.append(rounds.log_ratios(_BASE, _HEAD))
        again.append(rounds.log_ratios(_BASE, _AGAIN))
    return Compared(decide(ratios, max_ratio, alpha), judge_self_test(again, alpha))
