"""The form of every answer of the doctor."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from coreml_gate.record import ComputeUnits
from coreml_gate.worker.supervisor import Supervisor

Outcome = Literal["ok", "not ok", "cannot tell"]
OFF_A_MAC: Final = "this is no Mac: run `coreml-gate doctor` on one."


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

    @property
    def can_predict(self) -> bool:
        """Whether Core ML is here, or what stands in for it."""
        return self.is_mac or self.supervisor.stand_in
