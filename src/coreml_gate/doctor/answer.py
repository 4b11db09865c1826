"""The form of every answer of the doctor."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel

from coreml_gate.doctor.recording import Recording
from coreml_gate.record import ComputeUnits
from coreml_gate.worker.supervisor import Supervisor

Outcome = Literal["ok", "not ok", "unknown"]
TIME_BUDGET_S: Final = 60.0
OFF_A_MAC: Final = "this is not a Mac: run `coreml-gate doctor` on one."


@dataclass(frozen=True)
class Probe:
    """One thing that was tried."""

    what: str
    outcome: Outcome
    text: str
    way_out: str = ""


@dataclass(frozen=True)
class Subject:
    """The machine to examine, and how."""

    folder: Path
    """Takes everything that is made on the way."""
    supervisor: Supervisor
    is_mac: bool
    units: tuple[ComputeUnits, ...]
    versions: Mapping[str, str]
    """Of the installed packages."""
    time_budget_s: float = TIME_BUDGET_S
    """How long a package may be timed against itself."""
    recording: Recording | None = None
    """Takes the raw facts behind the answers, if they are to be kept."""

    def keep(self, name: str, facts: BaseModel | Mapping[str, Any]) -> None:
        """Keep facts for the recording, if there is one."""
        if self.recording is not None:
            self.recording.keep(name, facts)

    @property
    def can_predict(self) -> bool:
        """Whether Core ML is here, or what stands in for it."""
        return self.is_mac or self.supervisor.stand_in
