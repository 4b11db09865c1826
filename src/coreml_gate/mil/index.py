"""An index of a program: the producer and the readers of each value, and the constants."""

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.graph import is_constant
from coreml_gate.mil.ir import (
    Block,
    Constant,
    Function,
    Operation,
    Shape,
    StateType,
    TensorType,
    Value,
    ValueType,
)

_TRANSPARENT = frozenset({"cast", "identity", "reshape", "expand_dims", "squeeze", "transpose"})
"""Operations that pass values on, possibly in another type or order."""
_WEIGHTED = {"conv": "weight", "conv_transpose": "weight", "linear": "weight", "matmul": "y", "gather": "x"}


def producers_in(operations: Iterable[Operation]) -> dict[str, Operation]:
    """The operation that makes each value, including constants, by the value's name."""
    return {value.name: item for item in operations for value in item.outputs}


def constants_in(operations: Iterable[Operation]) -> dict[str, Constant]:
    """The values of ``const`` operations by name."""
    return {
        value.name: item.attributes["val"]
        for item in operations
        if item.type == "const" and "val" in item.attributes
        for value in item.outputs
    }


class Index:
    """One function with its nested blocks; each part is made when it is first read."""

    def __init__(self, function: Function) -> None:
        self.function = function

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All operations that run, including nested ones, without constants and their decompression."""
        return tuple(item for item in self._beside_constants if not self._is_stored(item))

    @cached_property
    def _beside_constants(self) -> tuple[Operation, ...]:
        return tuple(operation for operation in self.function.block.walk() if operation.type != "const")

    def _is_stored(self, operation: Operation) -> bool:
        return any(value.name in self.stored for value in operation.outputs)

    @cached_property
    def producers(self) -> dict[str, Operation]:
        """The operation that makes a value, by the value's name; constants included."""
        return producers_in(self.function.block.walk())

    @cached_property
    def readers(self) -> dict[str, tuple[Operation, ...]]:
        """The operations that read a value, by the value's name."""
        found: dict[str, list[Operation]] = {}
        for operation in self._beside_constants:
            for name in dict.fromkeys(operation.reads()):
                found.setdefault(name, []).append(operation)
        return {name: tuple(operations) for name, operations in found.items()}

    @cached_property
    def types(self) -> dict[str, ValueType]:
        """The declared type of every value."""
        return {value.name: value.type for value in _values(self.function)}

    @cached_property
    def constants(self) -> dict[str, Constant]:
        """Values of ``const`` operations by name."""
        return constants_in(self.function.block.walk())

    @cached_property
    def packed(self) -> tuple[Operation, ...]:
        """The operations that decompress stored weights (``constexpr_*``)."""
        return tuple(item for item in self._beside_constants if self._is_stored(item))

    @cached_property
    def stored(self) -> frozenset[str]:
        """Names of the stored values, plain or compressed (``constexpr_*``)."""
        names: set[str] = set()
        for operation in self.function.block.walk():
            if is_constant(operation, names):
                names.update(value.name for value in operation.outputs)
        return frozenset(names)

    def of(self, *types: str) -> Iterator[Operation]:
        """The operations of these types, in order."""
        return (operation for operation in self._beside_constants if operation.type in types)

    def name(self, operation: Operation, parameter: str) -> str | None:
        """The name of the value that a parameter reads; ``None`` for an immediate value or no value."""
        arguments = operation.inputs.get(parameter, ())
        return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], str) else None

    def constant(self, operation: Operation, parameter: str) -> Array | None:
        """The value of a parameter that is a plain constant."""
        arguments = operation.inputs.get(parameter, ())
        if len(arguments) != 1:
            return None
        argument = arguments[0]
        held = self.constants.get(argument) if isinstance(argument, str) else argument
        return None if held is None else held.array

    def numbers(self, operation: Operation, parameter: str) -> Array | None:
        """The value of a parameter that is a plain constant of numbers."""
        value = self.constant(operation, parameter)
        return value if value is not None and value.dtype.kind in "fiub" else None

    def scalar(self, operation: Operation, parameter: str) -> float | None:
        """The value of a constant with a single number."""
        value = self.constant(operation, parameter)
        if value is None or value.size != 1 or value.dtype.kind not in "fiub":
            return None
        return float(value.reshape(-1)[0])

    def text(self, operation: Operation, parameter: str) -> str:
        """The value of a constant string."""
        value = self.constant(operation, parameter)
        return "" if value is None or value.size != 1 else str(value.reshape(-1)[0])

    def shape(self, name: str | None) -> Shape:
        """The shape of a tensor; empty for other values."""
        kind = self.types.get(name or "")
        kind = kind.wrapped if isinstance(kind, StateType) else kind
        return kind.shape if isinstance(kind, TensorType) else ()

    def input_shape(self, operation: Operation, parameter: str) -> Shape:
        """The shape of the tensor that a parameter reads; empty for other values."""
        return self.shape(self.name(operation, parameter))

    def size(self, name: str | None, axis: float) -> int:
        """The length of one axis; 0 if it is open or does not exist."""
        shape = self.shape(name)
        return (shape[int(axis)] or 0) if -len(shape) <= axis < len(shape) else 0

    def dtype(self, name: str | None) -> str:
        """The element type of a tensor; empty for other values."""
        kind = self.types.get(name or "")
        return kind.dtype if isinstance(kind, TensorType) else ""

    def input_dtype(self, operation: Operation, parameter: str) -> str:
        """The element type of the tensor that a parameter reads; empty for other values."""
        return self.dtype(self.name(operation, parameter))

    def elements(self, name: str | None) -> int:
        """Elements of a tensor, counting open dimensions as one."""
        return int(np.prod([size or 1 for size in self.shape(name)], dtype=np.int64))

    def bytes(self, name: str | None) -> int:
        """Bytes of a tensor in its declared type, counting open dimensions as one."""
        dtype = DTYPES.get(self.dtype(name))
        return 0 if dtype is None else dtype.stored_bytes(self.elements(name))

    def is_half(self, operation: Operation) -> bool:
        """Whether its result is in half precision."""
        return any(self.dtype(value.name) == "fp16" for value in operation.outputs)

    def maker(self, operation: Operation, parameter: str) -> Operation | None:
        """The operation that computes a parameter, skipping those that only pass it on."""
        return self.origin(self.name(operation, parameter))

    def origin(self, name: str | None) -> Operation | None:
        """The operation that computes a value, skipping those that only pass it on; ``None`` for inputs."""
        made = self.producers.get(name or "")
        while made is not None and made.type in _TRANSPARENT:
            made = self.producers.get(self.name(made, "x") or "")
        return None if made is None or made.type == "const" else made

    def users(self, operation: Operation) -> tuple[Operation, ...]:
        """The operations that read a result, skipping those that only pass it on."""
        found: list[Operation] = []
        pending = [value.name for value in operation.outputs]
        while pending:
            for reader in self.readers.get(pending.pop(), ()):
                if reader.type in _TRANSPARENT:
                    pending += [value.name for value in reader.outputs]
                else:
                    found.append(reader)
        return tuple(found)

    @cached_property
    def varying(self) -> frozenset[str]:
        """Names of the values that depend on an input, a state or a random number."""
        names = {value.name for value in self.function.inputs}
        _spread(self.function.block, names)
        return frozenset(names)

    def weights(self) -> Iterator[tuple[Operation, str, str]]:
        """Layers with the name of their constant weight: operation, parameter, value name."""
        for operation in self.operations:
            parameter = _WEIGHTED.get(operation.type)
            name = None if parameter is None else self.name(operation, parameter)
            if parameter is not None and name is not None and name not in self.varying:
                yield operation, parameter, name


def _values(function: Function) -> Iterator[Value]:
    yield from function.inputs
    for operation in function.block.walk():
        yield from operation.outputs
        for block in operation.blocks:
            yield from block.inputs


def _spread(block: Block, names: set[str]) -> None:
    for operation in block.operations:
        for nested in operation.blocks:
            names.update(value.name for value in nested.inputs)
            _spread(nested, names)
        inner = {name for nested in operation.blocks for name in nested.outputs}
        if operation.type.startswith("random_") or not names.isdisjoint({*operation.reads(), *inner}):
            names.update(value.name for value in operation.outputs)
