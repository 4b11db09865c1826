"""What the stand-in is to do besides answering: an older macOS, slow cold loads, hangs, aborts, errors.

A script is a JSON file that the environment names, so that it reaches the processes that the gate starts.
Without one the stand-in behaves: macOS 26, every device, no misbehaviour.
"""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from coreml_gate.frozen import FrozenModel
from coreml_gate.record import ComputeDevice, ComputeUnits
from coreml_gate.stand_in.ns_error import core_ml_error

VARIABLE: Final = "COREML_GATE_STAND_IN_SCRIPT"
Phase = Literal["compile", "load", "predict", "plan"]
_A_LONG_TIME_S: Final = 3600.0
_SIGNALS: Final[Mapping[str, signal.Signals]] = {
    "abort": signal.SIGABRT,
    "kill": signal.SIGKILL,
    "divide": signal.SIGFPE,
}
"""apple/coremltools#2757 (abort), #2758 (kill), #1473 (floating-point exception)."""


class Misbehaviour(FrozenModel):
    """One thing that goes wrong in one phase."""

    phase: Phase
    what: Literal["hang", "abort", "kill", "divide", "error"]
    units: ComputeUnits | None = None
    """On which compute unit; ``None``: on each. Compiling knows no hardware."""
    description: str = ""
    """Of an error: its ``NSLocalizedDescription``."""


class Script(FrozenModel):
    """How this Mac is, and what it does wrong."""

    macos: tuple[int, int] = (26, 0)
    devices: tuple[ComputeDevice, ...] = ("CPU", "GPU", "NE")
    home: Path | None = None
    """Where Core ML's caches go when ``CFFIXED_USER_HOME`` does not say; ``None``: nowhere."""
    cold_load_s: float = 0.0
    """How much longer the first load of a compiled model takes, by path and hardware."""
    nil_types: tuple[str, ...] = ()
    """Operations that the compute plan says nothing about; ``*``: all."""
    costs: bool = True
    """Whether the compute plan gives costs."""
    misbehaviours: tuple[Misbehaviour, ...] = ()

    def at(self, phase: Phase, units: str = "") -> None:
        """Misbehave in this phase if the script has it."""
        for each in self.misbehaviours:
            if each.phase == phase and each.units in {None, units}:
                _misbehave(each)


def read_script(environment: Mapping[str, str] = os.environ) -> Script:
    """The script that the environment names, or one of a Mac that behaves."""
    path = environment.get(VARIABLE)
    return Script() if path is None else Script.model_validate_json(Path(path).read_text(encoding="utf-8"))


def _misbehave(how: Misbehaviour) -> None:
    if how.what == "error":
        raise core_ml_error(how.description)
    if how.what == "hang":
        time.sleep(_A_LONG_TIME_S)
    else:
        os.kill(os.getpid(), _SIGNALS[how.what])
