"""What could this machine have detected? The base is timed against itself beside the real pairs."""

import math
from dataclasses import dataclass

from coreml_gate.timing.interval import sign_interval
from coreml_gate.timing.rule import ALPHA, LOOKS, Processes


@dataclass(frozen=True)
class SelfTest:
    """The base against a second copy of itself, in the same rounds as base and head."""

    smallest_change: float
    """Ratio - 1 below which a change hides in the noise of as many pairs; infinite with too few."""
    is_sound: bool
    """Whether the base counts as equal to itself: if not, no verdict of this machine means anything."""


def judge_self_test(processes: Processes, alpha: float = ALPHA) -> SelfTest:
    """How wide is the interval of a ratio that is 1 for sure, and does it hold the 1?"""
    values = [value for group in processes for value in group]
    interval = sign_interval(values, alpha / len(LOOKS))
    return SelfTest(
        smallest_change=_expm1((interval.high - interval.low) / 2 + abs(interval.median)),
        is_sound=interval.low <= 0 <= interval.high,
    )


def _expm1(value: float) -> float:
    return math.expm1(value) if math.isfinite(value) else math.inf
