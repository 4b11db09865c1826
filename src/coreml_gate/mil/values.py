"""The arguments of operations: their shapes in one run, their bytes, and constants."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from coreml_gate.mil.graph import Shapes, value_bytes
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Argument, Constant, Function, ListType, Operation, TensorType, Value, ValueType

_SETTINGS: Final = frozenset({"bool", "string", "int32", "int64", "uint32", "uint64"})


@contextmanager
def fitting(operation: Operation) -> Iterator[None]:
    """Turn errors on an operation's operands within the block into :class:`PackageError`.

    :raises PackageError: Their shapes or constants are not those that the operation takes.
    """
    try:
        yield
    except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise PackageError(
            f"operation `{operation.name}` ({operation.type}): its operands do not fit ({error}).",
            "the package is damaged: convert the model again.",
        ) from error


@dataclass(frozen=True)
class Values:
    """The values of one function; ``shapes`` are those of a run, for dimensions that are open."""

    function: Function
    shapes: Shapes = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict, init=False)
    """Stored bytes of each stored value."""

    def __post_init__(self) -> None:
        for operation in self.function.block.walk():
            if any(value.name in self.index.stored for value in operation.outputs):
                self._store(operation)

    @cached_property
    def index(self) -> Index:
        """The index of the function."""
        return Index(self.function)

    def operations(self) -> Iterator[Operation]:
        """Every operation that runs, including nested ones, except those on constants alone."""
        for operation in self.function.block.walk():
            if not self.is_stored(operation.outputs[0].name if operation.outputs else ""):
                yield operation

    def is_stored(self, name: str) -> bool:
        """Whether the value is stored, compressed or plain."""
        return name in self.index.stored

    def is_weight(self, name: str) -> bool:
        """Whether it is a stored tensor of weights, not a shape, an axis or a setting."""
        kind = self._kind(name)
        return (
            self.is_stored(name)
            and isinstance(kind, TensorType)
            and kind.dtype not in _SETTINGS
            and bool(kind.shape)
        )

    def arguments(self, operation: Operation, parameter: str) -> tuple[Argument, ...]:
        """The values bound to a parameter; empty if it is omitted."""
        return operation.inputs.get(parameter, ())

    def shape(self, operation: Operation, parameter: str) -> tuple[int, ...] | None:
        """The shape of the first value bound to a parameter; ``None`` if it is omitted.

        :raises PackageError: A dimension is open and no run has given it.
        """
        bound = self.arguments(operation, parameter)
        return self.shape_of(bound[0]) if bound else None

    def shape_of(self, argument: Argument) -> tuple[int, ...]:
        """The shape of a value.

        :raises PackageError: A dimension is open and no run has given it.
        """
        if isinstance(argument, str) and argument in self.shapes:
            return self.shapes[argument]
        kind = argument.type if isinstance(argument, Constant) else self._kind(argument)
        if isinstance(kind, TensorType) and kind.elements is not None:
            return tuple(size or 0 for size in kind.shape)
        if isinstance(kind, ListType) and kind.length is not None:
            return (kind.length,)
        raise PackageError(
            f"value `{argument}` has an open shape.",
            "give the shapes of a run, or convert with fixed shapes.",
        )

    def elements(self, argument: Argument) -> int:
        """The number of elements of a value.

        :raises PackageError: A dimension is open and no run has given it.
        """
        return math.prod(self.shape_of(argument))

    def bytes(self, argument: Argument) -> int:
        """Bytes of a value; for a weight, its stored bytes.

        :raises PackageError: A dimension is open and no run has given it.
        """
        if isinstance(argument, Constant):
            return argument.stored_bytes
        if argument in self._sizes:
            return self._sizes[argument]
        return value_bytes(Value(argument, self._kind(argument)), self.shapes)

    def constant(self, operation: Operation, parameter: str) -> NDArray[np.generic] | None:
        """The elements of a plain constant; ``None`` for anything else or if it is omitted."""
        bound = self.arguments(operation, parameter)
        if not bound:
            return None
        held = bound[0] if isinstance(bound[0], Constant) else self.index.constants.get(bound[0])
        return None if held is None else held.array

    def flag(self, operation: Operation, parameter: str) -> bool:
        """A constant boolean; false if it is omitted."""
        held = self.constant(operation, parameter)
        return held is not None and bool(held)

    def _kind(self, name: str) -> ValueType:
        return self.index.types[name]

    def _store(self, operation: Operation) -> None:
        attributes = (item for key, item in operation.attributes.items() if key != "name")
        arguments = (item for bound in operation.inputs.values() for item in bound)
        held = (item for item in (*attributes, *arguments) if isinstance(item, Constant))
        size = sum(item.stored_bytes for item in held) + sum(self._sizes[name] for name in operation.reads())
        for value in operation.outputs:
            self._sizes[value.name] = size
