"""The results of the doctor's probes, and the machine that it examines."""

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
    """The result of one probe."""

    what: str
    outcome: Outcome
    text: str
    way_out: str = ""


@dataclass(frozen=True)
class Subject:
    """The machine to examine, and how."""

    folder: Path
    """Folder for temporary files."""
    supervisor: Supervisor
    is_mac: bool
    units: tuple[ComputeUnits, ...]
    versions: Mapping[str, str]
    """Versions of the installed packages."""
    time_budget_s: float = TIME_BUDGET_S
    """Seconds for timing a package against itself."""
    recording: Recording | None = None
    """Records the raw facts, if requested."""

    def keep(self, name: str, facts: BaseModel | Mapping[str, Any]) -> None:
        """Add facts to the recording, if any."""
        if self.recording is not None:
            self.recording.keep(name, facts)

    @property
    def can_predict(self) -> bool:
        """Whether Core ML or the stand-in can predict here."""
        return self.is_mac or self.supervisor.stand_in
