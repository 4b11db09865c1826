"""What an operation's arguments are: their shapes in one run, their bytes, and the constants among them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from coreml_gate.mil.graph import Shapes, is_constant, value_bytes
from coreml_gate.mil.ir import Argument, Block, Constant, Function, ListType, Operation, TensorType, Value

_SETTINGS: Final = frozenset({"bool", "string", "int32", "int64", "uint32", "uint64"})


@dataclass(frozen=True)
class Values:
    """The values of one function; ``shapes`` are those of a run, where the program leaves dimensions open."""

    function: Function
    shapes: Shapes = field(default_factory=dict)
    _values: dict[str, Value] = field(default_factory=dict, init=False)
    _constants: dict[str, Constant] = field(default_factory=dict, init=False)
    _stored: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._add(self.function.block)

    def operations(self) -> Iterator[Operation]:
        """Every operation that runs, nested blocks included: neither constants nor what follows from them."""
        for operation in self.function.block.walk():
            if not self.is_stored(operation.outputs[0].name if operation.outputs else ""):
                yield operation

    def is_stored(self, name: str) -> bool:
        """Whether the package holds the value, packed or plain."""
        return name in self._stored

    def is_weight(self, name: str) -> bool:
        """Whether it is a stored tensor of numbers to compute with: no shape, no axis, no scalar setting."""
        kind = self._values[name].type
        return (
            self.is_stored(name)
            and isinstance(kind, TensorType)
            and kind.dtype not in _SETTINGS
            and bool(kind.shape)
        )

    def arguments(self, operation: Operation, parameter: str) -> tuple[Argument, ...]:
        """What is bound to a parameter; nothing where it is left out."""
        return operation.inputs.get(parameter, ())

    def shape(self, operation: Operation, parameter: str) -> tuple[int, ...] | None:
        """The shape of the first value bound to a parameter; ``None`` where it is left out.

        :raises PackageError: A dimension is open and no run has told it.
        """
        bound = self.arguments(operation, parameter)
        return self.shape_of(bound[0]) if bound else None

    def shape_of(self, argument: Argument) -> tuple[int, ...]:
        """The shape of a value.

        :raises PackageError: A dimension is open and no run has told it.
        """
        if isinstance(argument, str) and argument in self.shapes:
            return self.shapes[argument]
        kind = argument.type if isinstance(argument, Constant) else self._values[argument].type
        if isinstance(kind, TensorType) and kind.elements is not None:
            return tuple(size or 0 for size in kind.shape)
        if isinstance(kind, ListType) and kind.length is not None:
            return (kind.length,)
        raise PackageError(
            f"value `{argument}` has an open shape.",
            "give the shapes of a run, or convert with fixed shapes.",
        )

    def elements(self, argument: Argument) -> int:
        """How many elements a value has.

        :raises PackageError: A dimension is open and no run has told it.
        """
        return math.prod(self.shape_of(argument))

    def bytes(self, argument: Argument) -> int:
        """Bytes of a value; of a weight those that the package stores, however it is packed.

        :raises PackageError: A dimension is open and no run has told it.
        """
        if isinstance(argument, Constant):
            return argument.stored_bytes
        if argument in self._stored:
            return self._stored[argument]
        return value_bytes(self._values[argument], self.shapes)

    def constant(self, operation: Operation, parameter: str) -> NDArray[np.generic] | None:
        """The elements of a plain constant; ``None`` for anything else, and where it is left out."""
        bound = self.arguments(operation, parameter)
        if not bound:
            return None
        held = bound[0] if isinstance(bound[0], Constant) else self._constants.get(bound[0])
        return None if held is None else held.array

    def flag(self, operation: Operation, parameter: str) -> bool:
        """A constant boolean; false where it is left out."""
        held = self.constant(operation, parameter)
        return held is not None and bool(held)

    def _add(self, block: Block) -> None:
        self._values.update({value.name: value for value in block.inputs})
        for operation in block.operations:
            self._values.update({value.name: value for value in operation.outputs})
            if is_constant(operation, self._stored.keys()):
                self._store(operation)
            for nested in operation.blocks:
                self._add(nested)

    def _store(self, operation: Operation) -> None:
        attributes = (item for key, item in operation.attributes.items() if key != "name")
        arguments = (item for bound in operation.inputs.values() for item in bound)
        held = (item for item in (*attributes, *arguments) if isinstance(item, Constant))
        size = sum(item.stored_bytes for item in held) + sum(self._stored[name] for name in operation.reads())
        for value in operation.outputs:
            self._stored[value.name] = size
        if operation.type == "const" and "val" in operation.attributes:
            self._constants[operation.outputs[0].name] = operation.attributes["val"]
