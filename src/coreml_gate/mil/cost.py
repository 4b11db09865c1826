"""The cost of a function, from its program alone: multiply-accumulates, elementwise work, bytes moved.

The numbers are exact and the same on every machine, so they change only if the model changes. They are not
times, which also depend on fusion, hardware and waiting.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from coreml_gate.mil.graph import DECLARED, VIEWS, Shapes
from coreml_gate.mil.ir import Function, Operation, TensorType
from coreml_gate.mil.values import Values, fitting


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one operation, or the sum over several.

    ``macs`` counts multiply-accumulates of convolutions, matrix products, attention and recurrent layers;
    ``elementwise`` counts elements that other operations compute; ``bytes`` are those of operands, weights as
    stored, and results, each once per operation, as if there were neither fusion nor caches.
    """

    macs: int = 0
    elementwise: int = 0
    bytes: int = 0
    operations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.macs + other.macs,
            self.elementwise + other.elementwise,
            self.bytes + other.bytes,
            self.operations + other.operations,
        )


@dataclass(frozen=True, slots=True)
class OperationCost:
    """One operation and its cost."""

    operation: Operation
    cost: Cost


Formula = Callable[[Operation, Values], int]


def costs(function: Function, shapes: Shapes = DECLARED) -> tuple[OperationCost, ...]:
    """The cost of every operation, in order; the body of a loop counts once.

    :param shapes: Shapes seen in a run, by value name, for dimensions that the program leaves open.
    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    values = Values(function, shapes)
    return tuple(OperationCost(item, _cost(item, values)) for item in values.operations())


def weights_read(function: Function, shapes: Shapes = DECLARED) -> int:
    """Bytes of the weights that every prediction reads, each counted once; lookup tables do not count.

    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    values = Values(function, shapes)
    names = {name for operation in values.operations() for name in _read_whole(operation)}
    return sum(values.bytes(name) for name in names if values.is_weight(name))


def has_loops(function: Function) -> bool:
    """Whether some work is done an unknown number of times."""
    return any(operation.type == "while_loop" for operation in function.block.walk())


def _cost(operation: Operation, values: Values) -> Cost:
    if operation.blocks:
        return Cost(operations=1)
    formula = MACS.get(operation.type)
    with fitting(operation):
        return Cost(
            macs=0 if formula is None else formula(operation, values),
            elementwise=0 if formula is not None else _elementwise(operation, values),
            bytes=_bytes(operation, values),
            operations=1,
        )


def _shape(operation: Operation, values: Values, parameter: str) -> tuple[int, ...]:
    return values.shape(operation, parameter) or ()


def _result(operation: Operation, values: Values) -> tuple[int, ...]:
    return values.shape_of(operation.name)


def _conv(operation: Operation, values: Values) -> int:
    """Each element of the result needs input channels / groups x kernel products."""
    weight = _shape(operation, values, "weight")
    return math.prod(_result(operation, values)) * math.prod(weight[1:])


def _conv_transpose(operation: Operation, values: Values) -> int:
    """Each element of the operand is part of result channels / groups x kernel products."""
    weight = _shape(operation, values, "weight")
    return math.prod(_shape(operation, values, "x")) * math.prod(weight[1:])


def _linear(operation: Operation, values: Values) -> int:
    return math.prod(_result(operation, values)) * _shape(operation, values, "weight")[-1]


def _matmul(operation: Operation, values: Values) -> int:
    x = _shape(operation, values, "x")
    inner = x[-2] if len(x) > 1 and values.flag(operation, "transpose_x") else x[-1]
    return math.prod(_result(operation, values)) * inner


def _einsum(operation: Operation, values: Values) -> int:
    """One product per combination of all labels; a dimension of 1 is broadcast."""
    equation = str(values.constant(operation, "equation")).replace(" ", "")
    labels: dict[str, int] = {}
    operands = values.arguments(operation, "values")
    for text, operand in zip(equation.split("->")[0].split(","), operands, strict=True):
        for label, size in zip(text, values.shape_of(operand), strict=True):
            labels[label] = max(size, labels.get(label, 1))
    return math.prod(labels.values())


def _attention(operation: Operation, values: Values) -> int:
    """Two matrix products per head: queries by keys, then scores by values; a mask does not reduce them."""
    query, key, value = (_shape(operation, values, name) for name in ("query", "key", "value"))
    heads = math.prod(_result(operation, values)[:-2])
    return heads * query[-2] * key[-2] * (query[-1] + value[-1])


_RECURRENT_WEIGHTS: Final = ("weight_ih", "weight_hh", "weight_ih_back", "weight_hh_back")


def _recurrent(operation: Operation, values: Values) -> int:
    """Each step of each sequence uses every weight once: x is (steps, batch, features)."""
    steps, batch, _ = _shape(operation, values, "x")
    weights = (_shape(operation, values, name) for name in _RECURRENT_WEIGHTS)
    return steps * batch * sum(math.prod(weight) for weight in weights if weight)


MACS: Final[Mapping[str, Formula]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "matmul": _matmul,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "lstm": _recurrent,
    "gru": _recurrent,
    "rnn": _recurrent,
}
"""Multiply-accumulates by operation type; all other operations have none."""

PARTIAL: Final = frozenset({"gather", "gather_along_axis", "gather_nd", "slice_by_index", "slice_by_size"})
"""Operations that read only the elements of their result, not all of their operand ``x``."""

MOVES: Final = frozenset(
    {
        "batch_to_space",
        "cast",
        "concat",
        "crop",
        "depth_to_space",
        "fill",
        "fill_like",
        "list_gather",
        "list_length",
        "list_read",
        "list_scatter",
        "list_write",
        "make_list",
        "non_zero",
        "one_hot",
        "pad",
        "pixel_shuffle",
        "pixel_unshuffle",
        "range_1d",
        "read_state",
        "resize_nearest_neighbor",
        "reverse",
        "reverse_sequence",
        "shape",
        "slice_update",
        "sliding_windows",
        "space_to_batch",
        "space_to_depth",
        "split",
        "stack",
        "tile",
        "transpose",
        "upsample_nearest_neighbor",
        "write_state",
        *PARTIAL,
    }
)
"""Operations that move or create values without computing."""

_POOLS: Final = frozenset({"avg_pool", "l2_pool", "max_pool"})


def _elementwise(operation: Operation, values: Values) -> int:
    """Computed elements: those of the largest operand or result; for a pool, one per place of its window."""
    if operation.type in VIEWS or operation.type in MOVES:
        return 0
    results = [
        values.elements(value.name) for value in operation.outputs if isinstance(value.type, TensorType)
    ]
    if operation.type in _POOLS:
        kernel = values.constant(operation, "kernel_sizes")
        return sum(results) * (1 if kernel is None else math.prod(int(size) for size in kernel.tolist()))
    operands = [values.elements(name) for name in operation.reads() if not values.is_stored(name)]
    return max((*results, *operands), default=0)


def _bytes(operation: Operation, values: Values) -> int:
    if operation.type in VIEWS:
        return 0
    written = sum(values.bytes(value.name) for value in operation.outputs)
    read = [name for name in _read_whole(operation) if values.is_weight(name) or not values.is_stored(name)]
    partial = written if operation.type in PARTIAL else 0
    return written + partial + sum(values.bytes(name) for name in read)


def _read_whole(operation: Operation) -> frozenset[str]:
    return frozenset(
        item
        for key, bound in operation.inputs.items()
        if key != "x" or operation.type not in PARTIAL
        for item in bound
        if isinstance(item, str)
    )
