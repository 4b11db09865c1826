"""Programs written by hand, operation by operation, for tests that count."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, TensorType, Value

_NAMES = {"f": "fp16", "i": "int32", "b": "bool", "U": "string"}


def tensor(name: str, *shape: int | None, dtype: str = "fp16") -> Value:
    return Value(name, TensorType(dtype, shape))


def const(name: str, content: ArrayLike) -> Operation:
    """A constant of half precision, of int32, of booleans or a text."""
    array = np.asarray(content)
    kind = TensorType(_NAMES[array.dtype.kind], array.shape)
    held = array.astype({"fp16": np.float16, "int32": np.int32}.get(kind.dtype, object)).reshape(-1)
    return Operation("const", name, {}, {"val": Constant(kind, held)}, (Value(name, kind),))


def operation(
    kind: str, output: Value, blocks: tuple[Block, ...] = (), **inputs: str | tuple[str, ...]
) -> Operation:
    bound: dict[str, tuple[Argument, ...]] = {
        name: (value,) if isinstance(value, str) else value for name, value in sorted(inputs.items())
    }
    return Operation(kind, output.name, bound, {}, (output,), blocks)


def function(inputs: tuple[Value, ...], *operations: Operation, outputs: tuple[str, ...]) -> Function:
    return Function("main", 17, inputs, Block(inputs, operations, outputs))


def conv(
    name: str, x: str, result: tuple[int, ...], weight: tuple[int, ...], dilation: int = 1, **fill: Any
) -> tuple[Operation, ...]:
    """A convolution and its constants; ``fill`` gives the weight's ``value`` and its ``parameter`` name."""
    parameter = fill.get("parameter", f"{name}_weight")
    return (
        const(parameter, np.full(weight, fill.get("value", 1.0))),
        const(f"{name}_dilations", [dilation] * (len(weight) - 2)),
        operation("conv", tensor(name, *result), x=x, weight=parameter, dilations=f"{name}_dilations"),
    )
