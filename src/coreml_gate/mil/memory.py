"""Live bytes over a function, and additional memory that an engine may need.

How Core ML runs an operation is not published, so an overhead is what the known algorithms for it need. The
peak is certain, so it is judged. An overhead is only a hint where to look if a device uses far more.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.graph import DECLARED, Shapes, moments
from coreml_gate.mil.ir import Function, Operation, TensorType
from coreml_gate.mil.values import Values, fitting

_NEAR_PEAK: Final = 0.95
"""Operations at this share of the peak must shrink too before the peak does."""
OverheadKind = Literal["dilated-kernel", "attention-scores", "im2col"]
LARGE_KERNEL: Final = 25
"""The kernel size from which im2col counts: Winograd and direct methods cover 3 x 3, not 5 x 5."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Live bytes at every operation that runs, in order; nested blocks count on top."""

    operations: tuple[str, ...]
    bytes: tuple[int, ...]

    def near_peak(self) -> tuple[str, ...]:
        """The operations, in order, at which 95 % of the peak or more are alive."""
        least = _NEAR_PEAK * max(self.bytes, default=0)
        return tuple(
            name for name, size in zip(self.operations, self.bytes, strict=True) if size >= least > 0
        )

    def compact(self, width: int) -> tuple[int, ...]:
        """The greatest bytes in each of at most ``width`` sections of about equal length."""
        count = min(width, len(self.bytes))
        edges = [index * len(self.bytes) // count for index in range(count + 1)] if count else [0]
        return tuple(max(self.bytes[start:stop]) for start, stop in pairwise(edges))


@dataclass(frozen=True, slots=True)
class Overhead:
    """Additional bytes that an operation may need; ``lasting`` ones stay while the model is loaded."""

    kind: OverheadKind
    operation: str
    bytes: int
    lasting: bool
    text: str
    """What is large: ``kernel 3 x 3 as 13 x 13``."""


def timeline(function: Function, shapes: Shapes = DECLARED) -> Timeline:
    """Live activation bytes by the rules of :func:`coreml_gate.mil.graph.peak`.

    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    found = [
        (moment.operation.name, moment.bytes)
        for moment in moments(function, shapes)
        if moment.operation is not None
    ]
    return Timeline(tuple(name for name, _ in found), tuple(size for _, size in found))


def overheads(function: Function, shapes: Shapes = DECLARED) -> tuple[Overhead, ...]:
    """All overheads, in the order of the program.

    :param shapes: Shapes seen in a run, by value name, for dimensions that the program leaves open.
    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    values = Values(function, shapes)
    return tuple(_overheads(values))


def _overheads(values: Values) -> Iterator[Overhead]:
    for operation in values.operations():
        with fitting(operation):
            yield from _of_operation(operation, values)


def _of_operation(operation: Operation, values: Values) -> Iterator[Overhead]:
    if operation.type == "conv":
        yield from _dilated_kernel(operation, values)
        yield from _im2col(operation, values)
    elif operation.type == "scaled_dot_product_attention":
        yield _attention_scores(operation, values)


def _dilated_kernel(operation: Operation, values: Values) -> Iterator[Overhead]:
    """A kernel of size k with dilation d as a plain one of size (k - 1) d + 1, zeros in between.

    The Neural Engine has no dilated convolution (hollance/neural-engine, docs/unsupported-layers.md), so a
    compiler that keeps one there must write the zeros out: 3 x 3 with d = 6 becomes 13 x 13, 18.8 times the
    weights. Only the zeros count here; the weights themselves are in the peak already.
    """
    weight = values.shape(operation, "weight")
    dilations = values.constant(operation, "dilations")
    if weight is None or dilations is None:
        return
    kernel = weight[2:]
    padded = [
        (size - 1) * int(step) + 1 for size, step in zip(kernel, dilations.reshape(-1).tolist(), strict=True)
    ]
    zeros = math.prod(weight[:2]) * (math.prod(padded) - math.prod(kernel))
    if zeros:
        text = f"kernel {_times(kernel)} as {_times(padded)}"
        yield Overhead("dilated-kernel", operation.name, zeros * _element_bytes(operation), True, text)  # noqa: FBT003 - a field


def _im2col(operation: Operation, values: Values) -> Iterator[Overhead]:
    """A copy of every window of the operand, which turns a convolution into one matrix product.

    Input channels / groups x kernel x places of the result: the memory of a GEMM-based convolution
    (Chellapilla et al. 2006, "High Performance Convolutional Neural Networks for Document Processing").
    Engines avoid it for kernels below ``LARGE_KERNEL`` and for depthwise layers, so these do not count.
    """
    weight = values.shape(operation, "weight")
    if weight is None or math.prod(weight[2:]) < LARGE_KERNEL or weight[1] == 1:
        return
    result = values.shape_of(operation.name)
    columns = math.prod(weight[1:]) * math.prod(result[2:]) * result[0]
    text = f"{math.prod(weight[1:])} values for each of {_times(result[2:])} places"
    yield Overhead("im2col", operation.name, columns * _element_bytes(operation), False, text)  # noqa: FBT003 - a field


def _attention_scores(operation: Operation, values: Values) -> Overhead:
    """Queries x keys for every head: the memory of attention that is not computed in slices.

    coremltools slices long queries itself for this reason (pass ``scaled_dot_product_attention_sliced_q``).
    If attention is written as matmul and softmax, the scores are values of the program and part of the peak.
    """
    query = values.shape(operation, "query") or (0, 0)
    key = values.shape(operation, "key") or (0, 0)
    heads = values.shape_of(operation.name)[:-2]
    scores = math.prod(heads) * query[-2] * key[-2]
    text = f"scores {_times((*heads, query[-2], key[-2]))}"
    return Overhead("attention-scores", operation.name, scores * _element_bytes(operation), False, text)  # noqa: FBT003 - a field


def _element_bytes(operation: Operation) -> int:
    kind = operation.outputs[0].type
    return DTYPES[kind.dtype].bits // 8 if isinstance(kind, TensorType) else 0


def _times(sizes: tuple[int, ...] | list[int]) -> str:
    return " x ".join(map(str, sizes))
