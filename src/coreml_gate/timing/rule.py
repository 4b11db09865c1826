"""Decides whether the head is slower than the base by more than is allowed: yes, no, or unsure.

Pairs are grouped by process, because what is fixed at a process's start (memory layout, placement) is the
same for all of its pairs. The rule looks at the pairs several times and stops at the first look that can
decide. Each look gets an equal share of the error rate (Bonferroni), so that looking often does not raise the
number of false alarms.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.timing.interval import Interval, sign_interval, sign_p_value

ALPHA: Final = 0.05
"""Probability that any interval of all looks misses the true ratio, on both sides together."""
LOOKS: Final = (20, 40, 60, 80, 100, 140, 200)
"""Numbers of pairs after which the rule looks at them."""
PAIRS_PER_PROCESS: Final = 20
LEAST_PROCESSES: Final = 3
"""Least number of processes for a verdict, because processes differ from each other."""
AGREEING_SHARE: Final = 0.75
"""Share of the processes whose own median must agree with the verdict."""

Call = Literal["slower", "not slower", "unsure"]
Processes = Sequence[Sequence[float]]
"""Natural logarithms of head / base, one group per process."""


@dataclass(frozen=True)
class Decision:
    """The decision, with natural logarithms of head / base."""

    call: Call
    interval: Interval
    pairs: int
    processes: int
    p_value: float
    """P-value of "no slower than half the allowed change", corrected for the number of looks."""
    beyond_limit: bool
    """Whether the median itself is beyond the limit; a slower head may still be within it."""

    @property
    def is_final(self) -> bool:
        """Whether no later look is needed; a slower head within the limit is measured to the last one."""
        return self.call == "not slower" or (self.call == "slower" and self.beyond_limit)


def decide(processes: Processes, max_ratio: float, alpha: float = ALPHA) -> Decision:
    """The decision at the first look that can decide, else the one after all pairs.

    *Not slower*: the whole interval lies below the limit. *Slower*: the whole interval lies above half of the
    allowed change. A head that is slower, but whose median is within the limit, is measured to the last look.
    """
    decision = _look((), max_ratio, alpha)
    for groups in _looks(processes):
        decision = _look(groups, max_ratio, alpha / len(LOOKS))
        if decision.is_final:
            break
    return decision


def is_settled(processes: Processes, max_ratio: float, alpha: float = ALPHA) -> bool:
    """Whether no more pairs are needed: the decision is made, or all looks are used up."""
    return sum(map(len, processes)) >= LOOKS[-1] or decide(processes, max_ratio, alpha).is_final


def _looks(processes: Processes) -> Iterator[Processes]:
    """The groups of pairs at each look; remaining pairs at the end count as one more look."""
    pending = list(LOOKS)
    for count in range(1, len(processes) + 1):
        groups = processes[:count]
        pairs = sum(map(len, groups))
        due = bool(pending) and pairs >= pending[0]
        if due or (count == len(processes) and pending):
            pending = [look for look in pending if look > pairs]
            yield groups


def _look(groups: Processes, max_ratio: float, alpha: float) -> Decision:
    values = [value for group in groups for value in group]
    limit, half = math.log(max_ratio), math.log1p((max_ratio - 1) / 2)
    interval = sign_interval(values, alpha)
    call: Call = "unsure"
    if len(groups) >= LEAST_PROCESSES:
        medians = [statistics.median(group) for group in groups if group]
        if interval.high < limit and _agree(median < limit for median in medians):
            call = "not slower"
        elif interval.low > half and _agree(median > half for median in medians):
            call = "slower"
    return Decision(
        call=call,
        interval=interval,
        pairs=len(values),
        processes=len(groups),
        p_value=min(1.0, len(LOOKS) * sign_p_value(values, half)),
        beyond_limit=bool(values) and interval.median >= limit,
    )


def _agree(answers: Iterator[bool]) -> bool:
    given = list(answers)
    return sum(given) >= AGREEING_SHARE * len(given)
