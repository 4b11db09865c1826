"""Statistics over pairs of times: whether the head is slower than the base, for any engine."""

from coreml_gate.timing.interval import Interval, sign_interval, sign_p_value
from coreml_gate.timing.rule import ALPHA, LOOKS, PAIRS_PER_PROCESS, Decision, decide

__all__ = [
    "ALPHA",
    "LOOKS",
    "PAIRS_PER_PROCESS",
    "Decision",
    "Interval",
    "decide",
    "sign_interval",
    "sign_p_value",
]
