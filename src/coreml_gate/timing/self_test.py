"""The smallest change that this machine could have detected, from timing the base against itself."""

import math
from dataclasses import dataclass

from coreml_gate.timing.interval import sign_interval
from coreml_gate.timing.rule import ALPHA, LOOKS, Processes


@dataclass(frozen=True)
class SelfTest:
    """The base against a second copy of itself, in the same rounds as base and head."""

    smallest_change: float
    """The change (ratio - 1) below which the noise of this many pairs hides it; infinite with too few
    pairs."""
    is_sound: bool
    """Whether the base is judged equal to itself; if not, no verdict of this machine is valid."""


def judge_self_test(processes: Processes, alpha: float = ALPHA) -> SelfTest:
    """The width of the interval of a ratio that is 1 by construction, and whether it contains 1."""
    values = [value for group in processes for value in group]
    interval = sign_interval(values, alpha / len(LOOKS))
    return SelfTest(
        smallest_change=_expm1((interval.high - interval.low) / 2 + abs(interval.median)),
        is_sound=interval.low <= 0 <= interval.high,
    )


def _expm1(value: float) -> float:
    return math.expm1(value) if math.isfinite(value) else math.inf
