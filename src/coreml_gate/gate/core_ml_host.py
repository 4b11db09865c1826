"""What runs Core ML's steps: this Mac, or our runtime in its place."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from coreml_gate.children.process import Hooks
from coreml_gate.engines.machine import describe_machine
from coreml_gate.gate.collect import Answering
from coreml_gate.gate.progress import ModelProgress, Progress
from coreml_gate.record import Machine
from coreml_gate.worker.supervisor import Supervisor

STAND_IN: Final = "coreml-gate stand-in"


@dataclass(frozen=True)
class CoreMlHost:
    """The machine that runs Core ML's steps, and how its children are started."""

    supervisor: Supervisor
    progress: Progress
    machine: Machine
    clock: Callable[[], float] = time.monotonic

    def reporting_to(self, progress: ModelProgress) -> "CoreMlHost":
        """The same host, with children that report to the progress of one model."""
        hooks = Hooks(progress.begin_step, progress.advance)
        return replace(self, supervisor=replace(self.supervisor, hooks=hooks))

    @classmethod
    def here(cls, answering: Answering, supervisor: Supervisor, progress: Progress) -> "CoreMlHost":
        """This machine."""
        stand_in = STAND_IN if answering == "stand-in" else ""
        return cls(supervisor, progress, describe_machine(stand_in=stand_in))
