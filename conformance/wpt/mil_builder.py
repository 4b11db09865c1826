"""A MIL function put together operation by operation, without coremltools."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, TensorType, Value

OPSET = 17
MIL_NAMES = {
    np.dtype(np.float32): "fp32",
    np.dtype(np.float16): "fp16",
    np.dtype(np.int32): "int32",
    np.dtype(np.int8): "int8",
    np.dtype(np.uint8): "uint8",
    np.dtype(np.bool_): "bool",
    np.dtype(np.object_): "string",
}
"""MIL's element types by numpy's."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A value under construction: its name, MIL element type and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(slots=True)
class MilBuilder:
    """Collects inputs and operations; shapes are left to the runtime, which computes them."""

    inputs: list[Value] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)

    def input(self, name: str, array: NDArray[Any]) -> Operand:
        """An input of the array's type and shape."""
        dtype = MIL_NAMES[array.dtype]
        self.inputs.append(Value(name, TensorType(dtype, array.shape)))
        return Operand(name, dtype, array.shape)

    def add(self, kind: str, result: tuple[str, Sequence[int]], **arguments: Any) -> Operand:  # noqa: ANN401
        """One operation with a single result of this element type and shape."""
        return self.add_several(kind, [result], **arguments)[0]

    def add_several(
        self,
        kind: str,
        results: Sequence[tuple[str, Sequence[int]]],
        **arguments: Any,  # noqa: ANN401
    ) -> list[Operand]:
        """One operation with several results; an argument of ``None`` is left out."""
        start = len(self.operations)
        made = [
            Operand(f"{kind}_{start}_{place}", dtype, tuple(shape))
            for place, (dtype, shape) in enumerate(results)
        ]
        values = tuple(Value(item.name, TensorType(item.dtype, (), ranked=False)) for item in made)
        given = {name: _arguments(value) for name, value in arguments.items() if value is not None}
        self.operations.append(Operation(kind, made[0].name, given, {}, values))
        return made

    def function(self, outputs: Sequence[Operand]) -> Function:
        """The whole function."""
        inputs = tuple(self.inputs)
        block = Block(inputs, tuple(self.operations), tuple(item.name for item in outputs))
        return Function("main", OPSET, inputs, block)


def _arguments(value: Any) -> tuple[Argument, ...]:  # noqa: ANN401  # operands, arrays or plain Python
    if isinstance(value, Operand):
        return (value.name,)
    if isinstance(value, list) and value and isinstance(value[0], Operand):
        return tuple(item.name for item in value)
    return (constant(value),)


def constant(value: Any) -> Constant:  # noqa: ANN401  # an array or plain Python
    """An immediate value: text, booleans, 32-bit integers, float32, or an array in its own type."""
    array = np.array(value, np.object_) if isinstance(value, str) else np.asarray(value)
    if not isinstance(value, np.ndarray | np.generic):
        array = array.astype({"i": np.int32, "f": np.float32}.get(array.dtype.kind, array.dtype))
    return Constant(TensorType(MIL_NAMES[array.dtype], array.shape), array)
