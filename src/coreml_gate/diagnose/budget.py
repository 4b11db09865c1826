"""How long a diagnosis may take, which stage it is at, and what it had to leave out."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from coreml_gate.wording import joined

STAGES: Final[Mapping[str, str]] = {
    "diagnose-fp16": "measuring the FP16 error of each operation",
    "diagnose-neural-engine": "estimating the error of each operation on the Neural Engine",
    "diagnose-repair": "searching for the operations to keep in FP32",
    "diagnose-pass": "searching for the optimisation pass that breaks the package",
    "diagnose-route": "converting along another route",
}
"""The steps that a child reports, and what each of them does."""


@dataclass
class DiagnosisBudget:
    """Counts from its first stage on; without ``seconds`` it has no end."""

    seconds: float = math.inf
    begin: Callable[[str], None] = lambda _: None
    """Called with each stage before it starts."""
    clock: Callable[[], float] = time.perf_counter
    left_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def used(self) -> float:
        """Seconds so far."""
        return self.clock() - self._started

    @property
    def left(self) -> float:
        """Seconds that remain, at least none."""
        return max(0.0, self.seconds - self.used)

    def allows(self, stage: str) -> bool:
        """Whether the stage may start, which is reported; one that may not is left out."""
        if self.left > 0:
            self.begin(stage)
            return True
        self.left_out.append(STAGES[stage])
        return False

    @property
    def note(self) -> str:
        """What was left out, and what to do; empty if nothing was."""
        if not self.left_out:
            return ""
        stages = joined([*dict.fromkeys(self.left_out)])
        return f"the diagnosis stopped after {self.seconds:g} s (`diagnose-budget-s`), before {stages}."
