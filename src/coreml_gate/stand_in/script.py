"""Scripts of misbehaviour for the stand-in: an older macOS, cold loads, hangs, aborts, wrong outputs.

A script is a JSON file that an environment variable names, so that it reaches the processes that the gate
starts. Without one, the stand-in behaves well: macOS 26, every device, no misbehaviour.
"""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import NonNegativeFloat, NonNegativeInt

from coreml_gate.arrays import Array
from coreml_gate.frozen import FrozenModel
from coreml_gate.record import ComputeDevice, ComputeUnits
from coreml_gate.stand_in.ns_error import core_ml_error

VARIABLE: Final = "COREML_GATE_STAND_IN_SCRIPT"
Phase = Literal["compile", "load", "predict", "plan"]
ENGINE_REFUSES: Final = (
    "E5RT encountered an STL exception. msg = MILCompilerForANE error: failed to compile ANE model using "
    "ANEF. Error=_ANECompiler : ANECCompile() FAILED.\n"
)
"""What Core ML prints (apple/coremltools#2758)."""
_A_LONG_TIME_S: Final = 3600.0
_SIGNALS: Final[Mapping[str, signal.Signals]] = {
    "abort": signal.SIGABRT,
    "kill": signal.SIGKILL,
    "divide": signal.SIGFPE,
}
"""apple/coremltools#2757 (abort), #2758 (kill), #1473 (floating-point exception)."""


class Condition(FrozenModel):
    """When something goes wrong: on which hardware, for which models, and after how many times."""

    units: ComputeUnits | None = None
    """The compute unit; ``None`` for all. Compiling has no compute unit."""
    path: str = ""
    """Part of the paths of the models, such as the folder of head or base; empty for all."""
    after: NonNegativeInt = 0
    """How often it first goes well in one process."""

    def holds(self, units: str, path: Path) -> bool:
        """Whether the condition is met this time; each call counts."""
        if self.units not in {None, units} or self.path not in str(path):
            return False
        _met[self] += 1
        return _met[self] > self.after


_met: Counter[Condition] = Counter()


class Misbehaviour(Condition):
    """A fault in one phase."""

    phase: Phase
    what: Literal["hang", "abort", "kill", "divide", "error", "slow", "engine-refuses"]
    """``engine-refuses``: the Neural Engine's compiler fails, Core ML prints that and goes on elsewhere."""
    description: str = ""
    """For an error, its ``NSLocalizedDescription``."""
    seconds: NonNegativeFloat = 0.0
    """Seconds by which a slow phase takes longer."""


class WrongOutput(Condition):
    """A fault of every output of a prediction."""

    what: Literal["nan", "zero", "unsteady", "float64", "missing"]
    """``unsteady``: no two predictions agree. ``float64``: not the package's type."""


class Script(FrozenModel):
    """The properties of this Mac, and its faults."""

    macos: tuple[int, int] = (26, 0)
    devices: tuple[ComputeDevice, ...] = ("CPU", "GPU", "NE")
    home: Path | None = None
    """Where Core ML's caches go without ``CFFIXED_USER_HOME``; ``None`` for nowhere."""
    cold_load_s: float = 0.0
    """Seconds by which the first load of a compiled model takes longer, per path and hardware."""
    nil_types: tuple[str, ...] = ()
    """Types of operations that the compute plan leaves open; ``*`` for all."""
    costs: bool = True
    """Whether the compute plan has costs."""
    misbehaviours: tuple[Misbehaviour, ...] = ()
    wrong_outputs: tuple[WrongOutput, ...] = ()

    def at(self, phase: Phase, path: Path, units: str = "") -> None:
        """Misbehave in this phase of this model if the script has a fault for it."""
        for each in self.misbehaviours:
            if each.phase == phase and each.holds(units, path):
                _misbehave(each)

    def given(self, outputs: Mapping[str, object], path: Path, units: str) -> dict[str, object]:
        """The outputs with the script's faults, which only arrays can have."""
        wrong = dict(outputs)
        for each in self.wrong_outputs:
            if each.holds(units, path):
                wrong = dict(_spoiled(wrong, each))
        return wrong


def read_script(environment: Mapping[str, str] = os.environ) -> Script:
    """The script that the environment names, or one without faults."""
    path = environment.get(VARIABLE)
    return Script() if path is None else Script.model_validate_json(Path(path).read_text(encoding="utf-8"))


def _misbehave(how: Misbehaviour) -> None:
    if how.what == "error":
        raise core_ml_error(how.description)
    if how.what == "engine-refuses":
        sys.stderr.write(ENGINE_REFUSES)
        return
    if how.what in {"hang", "slow"}:
        time.sleep(how.seconds if how.what == "slow" else _A_LONG_TIME_S)
    else:
        os.kill(os.getpid(), _SIGNALS[how.what])


_SPOIL: Final[Mapping[str, Callable[[Array, int], Array]]] = {
    "nan": lambda array, _: np.full_like(array, np.nan),
    "zero": lambda array, _: np.zeros_like(array),
    "unsteady": lambda array, times: array + times,
    "float64": lambda array, _: array.astype(np.float64),
}


def _spoiled(outputs: Mapping[str, object], how: WrongOutput) -> Iterator[tuple[str, object]]:
    for name, value in outputs.items():
        if how.what in _SPOIL and isinstance(value, np.ndarray):
            yield name, _SPOIL[how.what](value, _met[how])
        elif how.what != "missing":
            yield name, value
