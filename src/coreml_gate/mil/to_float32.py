"""Makes a float32 twin for a package that has none: its own program with every FP16 value widened.

Its weights were already rounded to FP16, so the twin shows only the error of operations, not that of weights.
"""

from dataclasses import replace

import numpy as np

from coreml_gate.mil.ir import Argument, Block, Constant, Operation, TensorType, Value, ValueType
from coreml_gate.mil.package import Package
from coreml_gate.mil.weights import release

_MOVES = ("const", "cast", "constexpr_")
"""Types (or prefixes) of operations that compute nothing."""


def half_operations(package: Package) -> tuple[str, ...]:
    """The names of the operations that compute in half precision, in order."""
    return tuple(
        operation.name
        for operation in package.function().block.walk()
        if not operation.type.startswith(_MOVES) and any(_is_half(value.type) for value in operation.outputs)
    )


def widened(package: Package) -> Package:
    """The package with its default function in float32; its operations keep their names."""
    function = package.function()
    wide = replace(function, inputs=_values(function.inputs), block=_block(function.block))
    functions = {**package.program.functions, package.default_function: wide}
    return replace(package, program=replace(package.program, functions=functions))


def _block(block: Block) -> Block:
    operations = tuple(_operation(operation) for operation in block.operations)
    return replace(block, inputs=_values(block.inputs), operations=operations)


def _operation(operation: Operation) -> Operation:
    return replace(
        operation,
        inputs={
            parameter: tuple(_argument(argument) for argument in arguments)
            for parameter, arguments in operation.inputs.items()
        },
        attributes={name: _constant(constant) for name, constant in operation.attributes.items()},
        outputs=_values(operation.outputs),
        blocks=tuple(_block(block) for block in operation.blocks),
    )


def _argument(argument: Argument) -> Argument:
    return argument if isinstance(argument, str) else _constant(argument)


def _constant(constant: Constant) -> Constant:
    if _is_half(constant.type):
        wide = constant.array.astype(np.float32)
        release(constant.data)
        return Constant(_wide(constant.type), wide)  # type: ignore[arg-type]
    if constant.data.dtype == np.object_ and constant.data.tolist() == "fp16":  # a cast's result type
        return replace(constant, data=np.array("fp32", np.object_))
    return constant


def _values(values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(Value(value.name, _wide(value.type)) for value in values)


def _wide(kind: ValueType) -> ValueType:
    return replace(kind, dtype="fp32") if isinstance(kind, TensorType) and kind.dtype == "fp16" else kind


def _is_half(kind: object) -> bool:
    return isinstance(kind, TensorType) and kind.dtype == "fp16"
