"""Records how Core ML behaves on this machine with a package whose outputs are known."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import PackageJob
from coreml_gate.frozen import changed
from coreml_gate.measurements.foreign_errors import core_ml
from coreml_gate.record import ComputeDevice
from coreml_gate.record.base import Measured, Part

if TYPE_CHECKING:
    from coreml_gate.engines.coreml import CoreMlEngine

LOADS: Final = 3


class OutputForm(Measured):
    """The type and shape of a returned output, and those that the package declares."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    declared_dtype: str
    declared_shape: tuple[int, ...]


class PlannedOperation(Measured):
    """One operation of a compute plan, unchanged; constants are included."""

    name: str
    type: str
    """With its opset: ``ios17.conv``."""
    preferred: ComputeDevice | None = None
    """``None`` if Core ML reports no device (nil)."""
    supported: tuple[ComputeDevice, ...] = ()
    cost: float | None = None


class Behaviour(Part):
    """Behaviour that no interface guarantees but the gate relies on."""

    FIELD: ClassVar[str] = "behaviour"

    outputs: tuple[OutputForm, ...] = ()
    errors: dict[str, str] = Field(default_factory=dict)
    """The raw error text for each mistake; empty if there was no error."""
    loads_ms: tuple[NonNegativeFloat, ...] = ()
    """Repeated loads of one compiled model, by Core ML's clock; the first is cold."""
    other_path_ms: NonNegativeFloat | None = None
    """The first load of the same program at another path; cold if caches are keyed by path."""
    caches: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Bytes below the process's home, by cache folder."""
    plan: tuple[PlannedOperation, ...] = ()
    """The default function's compute plan; empty if the process ended before reading it."""


PARTS: Final = (Behaviour,)
STEPS: Final[Mapping[str, str]] = {
    "compile": "compiling the package",
    "load": "loading the model again and again",
    "predict": "predicting",
    "provoke": "provoking errors",
    "plan": "reading the compute plan",
}
CHILD: Final = "own"


def run(job: PackageJob, log: EventLog) -> None:
    """Load several times, predict, and pass inputs that Core ML must refuse."""
    with core_ml(job):
        _measure(job, log)


def _measure(job: PackageJob, log: EventLog) -> None:
    from coreml_gate.children.reference_data import read_reference_data
    from coreml_gate.engines.coreml import compile_package
    from coreml_gate.measurements.core_ml_predict import COMPILED, opened

    log.begin("compile")
    first, second = (compile_package(job.package.path, job.folder / COMPILED) for _ in range(2))
    log.begin("load")
    engines = [opened(first, job) for _ in range(LOADS)]
    other = opened(second, job)
    log.begin("predict")
    if job.reference is None:
        raise ValueError("a job that records behaviour needs samples")
    inputs = read_reference_data(job.reference)[0].inputs
    outputs = tuple(_forms(engines[0], inputs))
    log.begin("provoke")
    errors = {name: _error(engines[0], wrong(inputs)) for name, wrong in MISTAKES.items()}
    found = Behaviour(
        outputs=outputs,
        errors=errors,
        loads_ms=tuple(1e3 * engine.load_s() for engine in engines),
        other_path_ms=1e3 * other.load_s(),
        caches=_caches(job.folder / "home" if job.home is None else job.home),
    )
    log.put(found)
    log.begin("plan")
    log.put(changed(found, plan=_plan(first, job)))


def _plan(compiled: Path, job: PackageJob) -> tuple[PlannedOperation, ...]:
    from coreml_gate.engines.compute_plan import list_plan
    from coreml_gate.mil.package import read_package

    default = read_package(job.package.path).default_function
    return tuple(
        PlannedOperation(
            name=each.name, type=each.type, preferred=each.device, supported=each.supported, cost=each.cost
        )
        for each in list_plan(compiled, job.units, default)
    )


def _forms(engine: "CoreMlEngine", inputs: Mapping[str, Any]) -> Iterator[OutputForm]:
    answers = engine.run(inputs)
    for feature, (name, array) in zip(engine.outputs, answers.items(), strict=True):
        yield OutputForm(
            name=name,
            dtype=str(array.dtype),
            shape=array.shape,
            declared_dtype=feature.dtype,
            declared_shape=feature.shape,
        )


def _error(engine: "CoreMlEngine", inputs: Mapping[str, Any]) -> str:
    try:
        engine.model.predict(dict(inputs), engine.new_state())
    except Exception as error:  # noqa: BLE001 - whatever Core ML raises is what is recorded
        return f"{type(error).__name__}: {error}"
    return ""


def _caches(home: Path) -> dict[str, int]:
    """Bytes by folder, down to the folder that Core ML names after the system's build."""
    found: dict[str, int] = {}
    for file in home.rglob("*"):
        if file.is_file():
            folder = "/".join(file.relative_to(home).parts[:5])
            found[folder] = found.get(folder, 0) + file.stat().st_size
    return found


def _first(inputs: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    name = next(iter(inputs))
    return {**inputs, name: change(inputs[name])}


MISTAKES: Final[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {
    "input missing": lambda _: {},
    "another shape": lambda inputs: _first(inputs, lambda array: array[..., :-1].copy()),
    "rank too low": lambda inputs: _first(inputs, lambda array: array[0]),
    "int64": lambda inputs: _first(inputs, lambda array: array.astype("int64")),
    "int32": lambda inputs: _first(inputs, lambda array: array.astype("int32")),
    "float64": lambda inputs: _first(inputs, lambda array: array.astype("float64")),
    "a number": lambda inputs: _first(inputs, lambda _: 1.0),
    "an unknown input": lambda inputs: {**inputs, "no such input": next(iter(inputs.values()))},
}
"""Inputs that Core ML must refuse or may accept; the recording shows which, with the messages."""
