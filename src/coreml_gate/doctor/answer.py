"""The form of every answer of the doctor."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from coreml_gate.record import ComputeUnits
from coreml_gate.worker.core_ml import ChildSurroundings

Outcome = Literal["ok", "not ok", "cannot tell"]
OFF_A_MAC: Final = "this is no Mac: run `coreml-gate doctor` on one."


@dataclass(frozen=True)
class Answer:
    """One thing that was tried."""

    what: str
    outcome: Outcome
    text: str
    way_out: str = ""


@dataclass(frozen=True)
class Patient:
    """The machine to examine, and how."""

    folder: Path
    """Takes everything that is made on the way."""
    around: ChildSurroundings
    is_mac: bool
    units: tuple[ComputeUnits, ...]
    versions: Mapping[str, str]
    """Of the installed packages."""

    @property
    def answers(self) -> bool:
        """Whether there is anybody to ask: Core ML, or what stands in for it."""
        return self.is_mac or self.around.stand_in
