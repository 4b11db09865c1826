"""The time budget of a diagnosis, its current stage, and what it had to leave out."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from coreml_gate.wording import counted, joined

STAGES: Final[Mapping[str, str]] = {
    "diagnose-fp16": "measuring the FP16 error of each operation",
    "diagnose-neural-engine": "estimating the error of each operation on the Neural Engine",
    "diagnose-repair": "searching for the operations to keep in FP32",
    "diagnose-pass": "searching for the optimisation pass that breaks the package",
    "diagnose-route": "converting along another route",
}
"""The steps that a child reports, with a description of each."""
Sample = TypeVar("Sample")


@dataclass
class DiagnosisBudget:
    """Counts from its first stage on; without ``seconds`` it is unlimited."""

    seconds: float = math.inf
    begin: Callable[[str], None] = lambda _: None
    """Called with each stage before it begins."""
    clock: Callable[[], float] = time.perf_counter
    advance: Callable[[str], None] = lambda _: None
    """Called with how far a stage is."""
    left_out: list[str] = field(default_factory=list)
    cut_short: list[str] = field(default_factory=list)
    """The stages that were cut short, each with how far it came."""

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def used(self) -> float:
        """Seconds used so far."""
        return self.clock() - self._started

    @property
    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self.seconds - self.used)

    def allows(self, stage: str) -> bool:
        """Whether the stage may begin; it is reported if so, and noted as left out if not."""
        if self.left > 0:
            self.begin(stage)
            return True
        self.left_out.append(STAGES[stage])
        return False

    def in_time(self, stage: str, samples: Sequence[Sample]) -> Iterator[Sample]:
        """The samples until the time is up, but always the first, so that every stage has a result."""
        for number, sample in enumerate(samples):
            if number and self.left <= 0:
                self.cut_short.append(f"{STAGES[stage]} ({number} of {counted(len(samples), 'sample')})")
                return
            yield sample
            self.advance(f"{number + 1} of {counted(len(samples), 'sample')}")

    @property
    def note(self) -> str:
        """What was left out or cut short, and how far it came, or empty."""
        ways = {"while": self.cut_short, "before": self.left_out}
        parts = [f"{way} {joined([*dict.fromkeys(stages)])}" for way, stages in ways.items() if stages]
        if not parts:
            return ""
        return f"the diagnosis stopped after {self.seconds:g} s (`diagnose-budget-s`), {' and '.join(parts)}."
