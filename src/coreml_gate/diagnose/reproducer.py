"""Makes a package of one operation with its real inputs, to attach to an issue."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from coreml_gate.arrays import Array, save_arrays
from coreml_gate.diagnose.operation_errors import rms_error
from coreml_gate.errors import UsageError
from coreml_gate.mil.graph import captured
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, TensorType, Value, ValueType
from coreml_gate.mil.package import Package, read_package
from coreml_gate.mil.to_half import HalfConstants, Narrower, cast
from coreml_gate.mil.write import write_package
from coreml_gate.runtime.model import load
from coreml_gate.untyped import MilValue

Arrays = dict[str, Array]

PACKAGE = "operation.mlpackage"
_SCRIPT = '''\
"""`{name}` ({type}) in FP16, against float32. Needs coremltools, and macOS to run Core ML."""
import coremltools as ct
import numpy as np

model = ct.models.MLModel("operation.mlpackage", compute_units=ct.ComputeUnit.ALL)
got = model.predict(dict(np.load("inputs.npz")))
for name, expected in np.load("expected.npz").items():
    error = np.abs(got[name].astype(float) - expected)
    print(name, "greatest error", error.max(), "where float32 gives at most", np.abs(expected).max())
'''


def reproduce(package: Package, name: str, samples: Sequence[Mapping[str, MilValue]], folder: Path) -> float:
    """Write package, inputs, expected outputs and script; returns the error in our runtime.

    :param package: The float32 twin, in which the operation has this name.
    :param samples: Inputs of the whole model; the one with the operation's greatest error is used.
    :raises UsageError: There is no such operation, or it cannot run alone.
    """
    operation = _find(package.function(), name)
    folder.mkdir(parents=True, exist_ok=True)
    write_package(_alone(package.function(), operation), folder / PACKAGE)
    alone = load(read_package(folder / PACKAGE))
    worst = -1.0
    chosen: tuple[Arrays, Arrays] = ({}, {})
    for sample in samples:
        inputs, expected = _seen(package, operation, sample)
        got = alone.predict(inputs)
        error = max(rms_error(value, np.asarray(got[key])) for key, value in expected.items())
        if error > worst:
            worst, chosen = error, (inputs, expected)
    save_arrays(folder / "inputs.npz", chosen[0])
    save_arrays(folder / "expected.npz", chosen[1])
    script = _SCRIPT.format(name=name, type=operation.type)
    (folder / "reproduce.py").write_text(script, encoding="utf-8")
    return worst


def _find(function: Function, name: str) -> Operation:
    operations = {item.name: item for item in function.block.operations if item.type != "const"}
    if name not in operations:
        close = difflib.get_close_matches(name, operations, 5, 0.3)
        raise UsageError(
            f"the package has no operation `{name}`.",
            f"similar are {', '.join(f'`{item}`' for item in close)}." if close else "",
        )
    if operations[name].blocks or captured(operations[name]):
        raise UsageError(f"operation `{name}` ({operations[name].type}) holds others: name one of them.")
    return operations[name]


def _alone(function: Function, operation: Operation) -> Function:
    """The operation in half, between casts, with its variable operands as the function's inputs."""
    index = Index(function)
    known, types = index.constants, index.types
    operands = tuple(dict.fromkeys(name for name in operation.reads() if name not in known))
    inputs = tuple(_input(name, types[name]) for name in operands)
    narrower = Narrower(frozenset({operation.name}), HalfConstants(), {}, dict(known))
    narrower.declare(inputs)
    before = [
        cast(value.name, Value(value.name + "_bool", types[value.name]))
        for value in inputs
        if types[value.name] != value.type
    ]
    operation = _inlined(operation, known, {made.inputs["x"][0]: made.name for made in before})
    narrower.declare(value for made in before for value in made.outputs)
    made = narrower.emit(operation)
    names = tuple(value.name for value in operation.outputs)
    after = narrower.widened(names)
    block = Block(inputs, (*before, *made, *after), names)
    return Function("main", function.opset, inputs, block)


def _input(name: str, kind: ValueType) -> Value:
    """The input for an operand; Core ML accepts no booleans, so they are float32 and are cast."""
    is_bool = isinstance(kind, TensorType) and kind.dtype == "bool"
    return Value(name, replace(kind, dtype="fp32") if is_bool and isinstance(kind, TensorType) else kind)


def _inlined(
    operation: Operation, known: Mapping[str, Constant], renamed: Mapping[MilValue, str]
) -> Operation:
    def argument(item: Argument) -> Argument:
        return known.get(item, renamed.get(item, item)) if isinstance(item, str) else item

    inputs = {key: tuple(argument(item) for item in items) for key, items in operation.inputs.items()}
    return replace(operation, inputs=inputs)


def _seen(package: Package, operation: Operation, sample: Mapping[str, MilValue]) -> tuple[Arrays, Arrays]:
    """The operands and results of the operation in a float32 run."""
    inputs: Arrays = {}
    expected: Arrays = {}

    def observe(seen: Operation, values: Mapping[str, MilValue], outputs: tuple[MilValue, ...]) -> None:
        if seen.name != operation.name:
            return
        for parameter, arguments in operation.inputs.items():
            given = values[parameter] if isinstance(values[parameter], tuple) else (values[parameter],)
            for argument, value in zip(arguments, given, strict=False):
                if isinstance(argument, str) and hasattr(value, "numpy"):
                    inputs[argument] = _array(value)
        for value, output in zip(operation.outputs, outputs, strict=True):
            expected[value.name] = _array(output)

    model = load(package, mode="fp32")
    model.predict(sample, model.make_state(), observe)
    stored = Index(package.function()).constants
    return {name: value for name, value in inputs.items() if name not in stored}, expected


def _array(value: MilValue) -> Array:
    array: Array = value.numpy().copy()
    return array.astype(np.float32) if array.dtype == np.bool_ else array
