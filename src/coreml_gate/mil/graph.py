"""Facts from a program's graph, without running it: last uses, peak of live activations, operation counts."""

import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from coreml_gate.errors import PackageError
from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.ir import Block, Function, ListType, Operation, TensorType, Value

# The result is the operand under another shape: no bytes move, so both names share one storage.
VIEWS = frozenset({"expand_dims", "flatten2d", "identity", "reshape", "reshape_like", "squeeze"})
_CONSTANTS = "const"
_INPUTS = "the inputs"

Shapes = Mapping[str, tuple[int, ...]]
DECLARED: Final[Shapes] = MappingProxyType({})
"""The shapes that the program itself declares."""


@dataclass(frozen=True, slots=True)
class Live:
    """A value alive at the peak."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Peak:
    """The greatest sum of live activation bytes, with its operation and the values alive there."""

    bytes: int
    operation: str
    live: tuple[Live, ...]


def histogram(function: Function) -> Counter[str]:
    """How often each operation type occurs, with nested blocks and without constants."""
    return Counter(
        operation.type for operation in function.block.walk() if not operation.type.startswith(_CONSTANTS)
    )


def captured(operation: Operation) -> frozenset[str]:
    """Names that the operation's nested blocks read from the blocks around them."""
    names: set[str] = set()
    for block in operation.blocks:
        inner = {value.name for value in block.inputs}
        for nested in block.operations:
            names |= (set(nested.reads()) | captured(nested)) - inner
            inner |= {value.name for value in nested.outputs}
        names |= set(block.outputs) - inner
    return frozenset(names)


def last_uses(block: Block) -> tuple[tuple[str, ...], ...]:
    """Per operation, the names that nothing reads after it, including its own unread outputs.

    The block's outputs are never among them; names of the blocks around this one are not either.
    """
    seen = set(block.outputs)
    mine = {value.name for value in block.inputs}
    mine |= {value.name for operation in block.operations for value in operation.outputs}
    result: list[tuple[str, ...]] = []
    for operation in reversed(block.operations):
        names = dict.fromkeys((*operation.reads(), *sorted(captured(operation))))
        names.update(dict.fromkeys(value.name for value in operation.outputs))
        result.append(tuple(name for name in names if name in mine and name not in seen))
        seen.update(names)
    return tuple(reversed(result))


@dataclass(frozen=True, slots=True)
class Moment:
    """The activations alive while an operation runs; ``operation`` is ``None`` for the inputs of a block."""

    operation: Operation | None
    bytes: int
    live: Callable[[], tuple[Live, ...]]
    """Gives the live values; to be called before the next moment."""


def peak(function: Function, shapes: Shapes = DECLARED) -> Peak:
    """The greatest number of bytes of activations alive at once: a lower bound of any runtime's memory.

    Counted: results of operations in their declared element types, from the operation that makes them to
    their last reader, so both operands and results of the current operation; and the function's inputs
    throughout, because the caller holds them during the prediction. Not counted: constants and values
    computed from constants alone (``constexpr_*``), scratch memory, and savings by in-place execution (two
    elementwise operands and one result count as three). Results of ``reshape``, ``expand_dims``, ``squeeze``,
    ``flatten2d``, ``reshape_like`` and ``identity`` share their operand's storage: tensors are dense, so only
    the shape differs; ``transpose`` and slices move bytes in Core ML and count. The peak of a nested block is
    added to what is alive around it.

    :param shapes: Shapes seen in a run, by value name, for dimensions that the program leaves open; an
        input's entry takes precedence over its declaration.
    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    worst = Peak(-1, "", ())
    for moment in moments(function, shapes):
        if moment.bytes > worst.bytes:
            name = _INPUTS if moment.operation is None else moment.operation.name
            worst = Peak(moment.bytes, name, moment.live())
    return worst


def moments(function: Function, shapes: Shapes = DECLARED) -> Iterator[Moment]:
    """The inputs, then every operation in order with what is alive while it runs, counted as for ``peak``.

    The operations of a nested block come before the operation that holds them.
    """
    yield from _moments(function.block, shapes, frozenset(), (), None)


def _moments(
    block: Block,
    shapes: Shapes,
    known: frozenset[str],
    around: tuple["_Storage", ...],
    holder: Operation | None,
) -> Iterator[Moment]:
    storage = _Storage(shapes)
    for value in block.inputs:
        storage.make(value)
    kept = {value.name for value in block.inputs} if holder is None else set()
    constants = set(known)
    stores = (*around, storage)
    yield _moment(stores, holder)
    for operation, dying in zip(block.operations, last_uses(block), strict=True):
        if is_constant(operation, constants):
            constants.update(value.name for value in operation.outputs)
            continue
        for value in operation.outputs:
            storage.make(value, _viewed(operation))
        for nested in operation.blocks:
            yield from _moments(nested, shapes, frozenset(constants), stores, operation)
        yield _moment(stores, operation)
        storage.free(name for name in dying if name not in kept)


def _moment(stores: tuple["_Storage", ...], operation: Operation | None) -> Moment:
    def live() -> tuple[Live, ...]:
        return tuple(value for store in stores for value in store.live())

    return Moment(operation, sum(store.total for store in stores), live)


def is_constant(operation: Operation, constants: Container[str]) -> bool:
    """Whether the result is stored or computed only once; ``constants`` are those known so far."""
    return operation.type == "const" or (
        operation.type.startswith("constexpr_") and all(name in constants for name in operation.reads())
    )


def _viewed(operation: Operation) -> str | None:
    bound = operation.inputs.get("x", ()) if operation.type in VIEWS else ()
    return bound[0] if len(bound) == 1 and isinstance(bound[0], str) else None


class _Storage:
    """Bytes alive, by storage: a view adds a name to its operand's storage."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._root: dict[str, str] = {}
        self._names: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self.total = 0

    def make(self, value: Value, viewed: str | None = None) -> None:
        root = self._root.get(viewed, value.name) if isinstance(viewed, str) else value.name
        self._root[value.name] = root
        self._names[root] = self._names.get(root, 0) + 1
        if root == value.name:
            self._bytes[root] = value_bytes(value, self._shapes)
            self.total += self._bytes[root]

    def free(self, names: Iterable[str]) -> None:
        for name in names:
            root = self._root.pop(name, None)
            if root is None:
                continue
            self._names[root] -= 1
            if not self._names[root]:
                self.total -= self._bytes.pop(root)

    def live(self) -> tuple[Live, ...]:
        ordered = sorted(self._bytes.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Live(name, size) for name, size in ordered if size)


def value_bytes(value: Value, shapes: Shapes) -> int:
    """Bytes of a value in its declared element type; states and dictionaries are not activations: 0.

    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    if isinstance(value.type, TensorType):
        return _tensor_bytes(value.name, value.type, shapes)
    if isinstance(value.type, ListType):
        length = shapes[value.name][0] if value.name in shapes else value.type.length
        return (1 if length is None else length) * _tensor_bytes(value.name, value.type.element, {})
    return 0


def _tensor_bytes(name: str, kind: TensorType, shapes: Shapes) -> int:
    elements = math.prod(shapes[name]) if name in shapes else kind.elements
    if elements is None:
        raise PackageError(
            f"value `{name}` has the open shape {kind}, so its bytes cannot be counted.",
            "give the shapes of a run (Model.shapes), or convert with fixed shapes.",
        )
    return DTYPES[kind.dtype].stored_bytes(elements)
