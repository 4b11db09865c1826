"""The faults in the order of the report: how each is injected, and which check must catch it.

A package with a fault is a copy of a sound one, to whose program operations are added.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from coreml_gate.checks import CHECKS, source
from coreml_gate.config import ModelConfig
from coreml_gate.config.inherit import is_package
from coreml_gate.errors import GateError, PackageError
from coreml_gate.frozen import changed
from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.ir import Argument, Constant, Operation, TensorType, Value
from coreml_gate.mil.package import read_package
from coreml_gate.mil.write import append_operation

_LEAVES: Final = "coreml_gate.selftest.faulty_source:leave"
Message = Any  # generated protobuf classes carry no types
WRONG_SIGN: Final = (-1.0,)
OVERFLOW: Final = (2.0**15, 2.0**15, 2.0**-15, 2.0**-15)
"""Factors that leave a float32 value unchanged; in half precision, anything above 0.00006 overflows."""
SLOWER: Final = (2.0, 0.5) * 64
_FLOATS: Final = {DTYPES["fp16"].number: "fp16", DTYPES["fp32"].number: "fp32"}
_BALLAST: Final = 2_000_000
"""Bytes: the relative limit holds from a megabyte on (``limits.size.ratio-from-mb``)."""
_SUFFIX: Final = "_before_the_fault"


class _Made(NamedTuple):
    """A value, and the position of the operation that makes it."""

    place: int
    message: Message


class CannotInjectError(GateError):
    """The fault does not fit this model; the message says why."""

    exit_code = 1


@dataclass(frozen=True)
class Injection:
    """What a fault needs: the model's configuration, its package, and a folder."""

    model: ModelConfig
    package: Path
    folder: Path


@dataclass(frozen=True)
class Fault:
    """One fault of a model."""

    name: str
    inject: Callable[[Injection], ModelConfig]
    """The model with the fault; raises :class:`CannotInjectError`."""
    caught_by: tuple[str, ...]
    """Checks of which at least one must fail."""
    needs_mac: bool = False


def _wrong_operation(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faults import WRONG_SIGN, multiplied  # noqa: PLC0415 - numpy: --help must not pay

    _require_source(given.model)
    faulty = given.folder / "faulty.mlpackage"
    multiplied(given.package, faulty, WRONG_SIGN, given.model.function)
    return _shipping(given.model, faulty)


def _overflow(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faults import OVERFLOW, multiplied  # noqa: PLC0415 - numpy: --help must not pay

    _require_source(given.model)
    faulty = given.folder / "faulty.mlpackage"
    if multiplied(given.package, faulty, OVERFLOW, given.model.function) != "fp16":
        raise CannotInjectError("its package computes in float32, where nothing overflows.")
    return _shipping(given.model, faulty)


def _larger(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faults import enlarged  # noqa: PLC0415 - numpy: --help must not pay

    faulty = given.folder / "faulty.mlpackage"
    enlarged(given.package, faulty)
    return _shipping(given.model, faulty)


def _slower(given: Injection) -> ModelConfig:
    from coreml_gate.selftest.faults import SLOWER, multiplied  # noqa: PLC0415 - numpy: --help must not pay

    faulty = given.folder / "faulty.mlpackage"
    multiplied(given.package, faulty, SLOWER, given.model.function)
    return _shipping(given.model, faulty)


def _leaves(given: Injection) -> ModelConfig:
    return changed(given.model, source=_LEAVES, function=None, convert=None, package=None, build=())


def _require_source(model: ModelConfig) -> None:
    if is_package(model.source):
        raise CannotInjectError("its source is a package already: there is no model to compare it with.")


def _shipping(model: ModelConfig, package: Path) -> ModelConfig:
    """The model with this package instead of its own."""
    if is_package(model.source):
        return changed(model, source=str(package))
    return changed(model, package=str(package), convert=None, build=())


FAULTS: Final = (
    Fault("a wrong operation", _wrong_operation, ("parity",)),
    Fault("an FP16 overflow", _overflow, ("precision", "hazards")),
    Fault("a larger package", _larger, ("size",)),
    Fault("a child that exits with 0", _leaves, (source.CHECK.name, "conversion")),
    Fault("a slower package", _slower, ("latency",), needs_mac=True),
)


assert {name for fault in FAULTS for name in fault.caught_by} <= {*CHECKS, source.CHECK.name}  # noqa: S101


def multiplied(sound: Path, faulty: Path, factors: Sequence[float], function: str | None = None) -> str:
    """Copy a package and multiply the value behind its first output; returns that value's type.

    :raises PackageError: No value of the program is a floating-point tensor.
    """
    shutil.copytree(sound, faulty, dirs_exist_ok=True)
    spec = read_package(faulty).spec
    name = function or spec.description.defaultFunctionName or "main"
    (block,) = spec.mlProgram.functions[name].block_specializations.values()
    kind = _insert(block, _floating_value(block, faulty), factors)
    (file,) = faulty.rglob("*.mlmodel")
    file.write_bytes(spec.SerializeToString(deterministic=True))
    return kind


def enlarged(sound: Path, faulty: Path) -> None:
    """Copy a package and more than double its size with unused bytes at the end of its weights."""
    shutil.copytree(sound, faulty, dirs_exist_ok=True)
    size = sum(file.stat().st_size for file in faulty.rglob("*") if file.is_file())
    weights = next(faulty.rglob("weight.bin"), None) or next(faulty.rglob("*.mlmodel")).parent / "ballast.bin"
    with weights.open("ab") as file:
        file.truncate(file.tell() + size + _BALLAST)


def _floating_value(block: Message, package: Path) -> _Made:
    """The value that the first output is cast from, else the last floating-point value of the program."""
    made = {
        output.name: _Made(place, output)
        for place, operation in enumerate(block.operations)
        for output in operation.outputs
        if operation.type != "const"
    }
    found = made.get(block.outputs[0])
    while found is not None and block.operations[found.place].type == "cast":
        (argument,) = block.operations[found.place].inputs["x"].arguments
        if argument.name not in made:
            break
        found = made[argument.name]
    if found is not None and _kind(found.message) is not None:
        return found
    last = next((each for each in reversed(made.values()) if _kind(each.message) is not None), None)
    if last is None:
        raise PackageError(
            f"{package}: the program computes no floating-point tensor.", "name another model."
        )
    return last


def _kind(value: Message) -> str | None:
    return _FLOATS.get(value.type.tensorType.dataType) if value.type.HasField("tensorType") else None


def _insert(block: Message, made: _Made, factors: Sequence[float]) -> str:
    """Insert the products after the operation; readers of the value then read the last product."""
    kind, name = str(_kind(made.message)), made.message.name
    shape = TensorType(kind, ())
    operations = type(block)()
    operations.CopyFrom(block)
    del block.operations[made.place + 1 :]
    made.message.name = before = f"{name}{_SUFFIX}"
    for number, factor in enumerate(factors):
        after = name if number == len(factors) - 1 else f"{name}{_SUFFIX}_{number}"
        constant = Constant(shape, np.array(factor, DTYPES[kind].numpy))
        inputs: dict[str, tuple[Argument, ...]] = {"x": (before,), "y": (constant,)}
        append_operation(block.operations, Operation("mul", after, inputs, {}, (Value(after, shape),)))
        block.operations[-1].outputs[0].type.CopyFrom(made.message.type)
        before = after
    block.operations.extend(operations.operations[made.place + 1 :])
    return kind
