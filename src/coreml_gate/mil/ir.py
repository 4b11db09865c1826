"""An ML Program as plain frozen values.

::

    Program ─► Function ─► Block ─► Operation ─► inputs:  parameter -> (value name | Constant, ...)
                                             └─► outputs: (Value, ...)     blocks: (Block, ...)

Values are in single assignment; a nested block sees the names of the blocks around it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coreml_gate.mil.dtypes import DTYPES, unpack

Shape = tuple[int | None, ...]
FeatureKind = Literal["multiarray", "image", "state", "string", "int64", "double", "dictionary", "sequence"]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type (MIL's name) and shape; ``None`` stands for a dimension known only at run time.

    If ``ranked`` is false, the rank is unknown too, and the shape is empty.
    """

    dtype: str
    shape: Shape
    ranked: bool = True

    @property
    def elements(self) -> int | None:
        """Number of elements, or ``None`` when a dimension is unknown."""
        known = [size for size in self.shape if size is not None]
        return math.prod(known) if self.ranked and len(known) == len(self.shape) else None

    def __str__(self) -> str:
        if not self.ranked:
            return f"{self.dtype}[...]"
        return f"{self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True, slots=True)
class ListType:
    """A list of tensors of one type; ``None`` stands for a length known only at run time."""

    element: TensorType
    length: int | None


@dataclass(frozen=True, slots=True)
class StateType:
    """A tensor that lives from one prediction to the next (iOS 18)."""

    wrapped: TensorType


@dataclass(frozen=True, slots=True)
class DictionaryType:
    """A dictionary, as ``classify`` gives it."""

    key: TensorType
    value: TensorType


ValueType = TensorType | ListType | StateType | DictionaryType


@dataclass(frozen=True, slots=True)
class Value:
    """A value that one operation (or the caller) defines and others read."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A value stored in the package; ``data`` is a view into the mapped weight file if it comes from one.

    Elements narrower than a byte stay packed in ``data``; ``array`` unpacks them.
    """

    type: TensorType | ListType
    data: NDArray[np.generic]

    @property
    def array(self) -> NDArray[np.generic]:
        """The elements in the declared shape; a view where the elements are whole bytes."""
        if isinstance(self.type, ListType):
            return self.data
        dtype = DTYPES[self.type.dtype]
        shape = tuple(size or 0 for size in self.type.shape)
        if dtype.packed:
            return unpack(self.data.view(np.uint8), dtype, math.prod(shape)).reshape(shape)
        return self.data.reshape(shape)

    @property
    def stored_bytes(self) -> int:
        """Bytes in the package."""
        return self.data.nbytes


Argument = str | Constant


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One MIL operation; its name is that of its first output, which Core ML's tools show."""

    type: str
    name: str
    inputs: Mapping[str, tuple[Argument, ...]]
    attributes: Mapping[str, Constant]
    outputs: tuple[Value, ...]
    blocks: tuple["Block", ...] = ()

    def reads(self) -> Iterator[str]:
        """Names of the values that this operation itself reads, in order, repeats included."""
        for arguments in self.inputs.values():
            for argument in arguments:
                if isinstance(argument, str):
                    yield argument


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Operations in order: the body of a function, with its inputs, or one of two blocks of a ``cond`` or
    ``while_loop``.
    """

    inputs: tuple[Value, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]

    def walk(self) -> Iterator[Operation]:
        """Every operation; those of nested blocks follow the operation that contains them."""
        for operation in self.operations:
            yield operation
            for block in operation.blocks:
                yield from block.walk()


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """One entry point; ``opset`` is the iOS version whose operations its block uses (15 to 18, then 26)."""

    name: str
    opset: int
    inputs: tuple[Value, ...]
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """All functions by name."""

    functions: Mapping[str, Function]


@dataclass(frozen=True, slots=True)
class Feature:
    """One input, output or state as the package's interface describes it to the app.

    ``shape`` is the default shape (of an image: height and width). ``ranges`` has the smallest and the
    greatest size per dimension (``None``: no bound), ``shapes`` the enumerated shapes; both are empty if the
    shape is fixed.
    """

    name: str
    kind: FeatureKind
    dtype: str = ""
    shape: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int | None], ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    optional: bool = False
    default: float | None = None
    color: str = ""

    @property
    def flexible(self) -> bool:
        """Whether the package accepts more than one shape here."""
        return bool(self.ranges or self.shapes)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether the interface allows this shape."""
        if self.shapes:
            return shape in self.shapes
        if self.ranges:
            return len(shape) == len(self.ranges) and all(
                low <= size and (high is None or size <= high)
                for size, (low, high) in zip(shape, self.ranges, strict=True)
            )
        return not self.shape or shape == self.shape

    def wanted(self) -> str:
        """The allowed shapes as text for a message."""
        if self.shapes:
            return "one of " + ", ".join(map(str, self.shapes))
        if self.ranges:
            return "(" + ", ".join(_range_text(low, high) for low, high in self.ranges) + ")"
        return str(self.shape)


@dataclass(frozen=True, slots=True)
class Interface:
    """The inputs, outputs and states of a function."""

    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    states: tuple[Feature, ...] = ()


def _range_text(low: int, high: int | None) -> str:
    if high == low:
        return str(low)
    return f"{low} and more" if high is None else f"{low} to {high}"
