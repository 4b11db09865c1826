"""What is documented or was measured of operations that Core ML keeps off the Neural Engine, one rule each.

Core ML decides by a cost model that is not public, on the chip and system at hand. So a rule can only say
what certainly or probably stays off the Neural Engine, never that an operation runs there.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Operation, TensorType
from coreml_gate.mil.values import Values

TYPED_EXECUTION: Final = "apple.github.io/coremltools/docs-guides/source/typed-execution.html"
UNSUPPORTED_LAYERS: Final = "github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md"
RANGES: Final = "developer.apple.com/forums/thread/724930"

DEEPEST_REDUCTION: Final = 16384
SMALLEST_ATTENTION: Final = 2 * 1024 * 1024
"""The smallest that was planned for the Neural Engine; half of it was not."""
WIDEST_KERNEL: Final = 13
_AXES_OF_A_3D_WEIGHT: Final = 5
_RECURRENT: Final = frozenset({"lstm", "gru", "rnn"})
_GATHER: Final = frozenset({"gather", "gather_along_axis", "gather_nd"})
_MOVES_TYPES: Final = frozenset({"cast"})
"""Where float32 and float16 meet there has to be a cast; it is not what keeps the work off the engine."""


@dataclass(frozen=True)
class PlacementRule:
    """One reason, whether it holds for an operation, and its source."""

    reason: str
    source: str
    holds: Callable[[Values, Operation], bool]

    def __str__(self) -> str:
        return f"{self.reason} ({self.source})"


def _is_not_half(_: Values, operation: Operation) -> bool:
    types = [value.type for value in operation.outputs]
    return operation.type not in _MOVES_TYPES and any(
        isinstance(type_, TensorType) and type_.dtype != "fp16" for type_ in types
    )


def _is_dilated(values: Values, operation: Operation) -> bool:
    dilations = values.constant(operation, "dilations") if operation.type == "conv" else None
    return dilations is not None and bool(np.greater(dilations, 1).any())


def _shape(values: Values, operation: Operation, parameter: str) -> tuple[int, ...]:
    """The shape of an operand; empty where a dimension is open, because a rule then cannot decide."""
    try:
        return values.shape(operation, parameter) or ()
    except PackageError:
        return ()


def _deep_reduction(values: Values, operation: Operation) -> bool:
    """More terms in one sum than the engine takes: of a weight, all axes but that of its outputs."""
    if operation.type not in {"linear", "conv"}:
        return False
    shape = _shape(values, operation, "weight")
    return math.prod(shape[1:]) > DEEPEST_REDUCTION


def _is_small_attention(values: Values, operation: Operation) -> bool:
    if operation.type != "scaled_dot_product_attention":
        return False
    shape = _shape(values, operation, "query")
    return bool(shape) and math.prod(shape) < SMALLEST_ATTENTION


def _has_wide_kernel(values: Values, operation: Operation) -> bool:
    if operation.type == "conv":
        shape = _shape(values, operation, "weight")
        return max(shape[2:], default=0) > WIDEST_KERNEL
    kernel = values.constant(operation, "kernel_sizes") if operation.type.endswith("_pool") else None
    return kernel is not None and bool(np.max(kernel) > WIDEST_KERNEL)


def _is_three_dimensional(values: Values, operation: Operation) -> bool:
    weight = _shape(values, operation, "weight") if operation.type == "conv" else ()
    return len(weight) == _AXES_OF_A_3D_WEIGHT


RULES: Final[Mapping[str, PlacementRule]] = {
    "type": PlacementRule("the Neural Engine computes in float16 only", TYPED_EXECUTION, _is_not_half),
    "recurrent": PlacementRule(
        "recurrent layers do not run on it", UNSUPPORTED_LAYERS, lambda _, each: each.type in _RECURRENT
    ),
    "gather": PlacementRule(
        "gather does not run on it", UNSUPPORTED_LAYERS, lambda _, each: each.type in _GATHER
    ),
    "dilation": PlacementRule("dilated convolutions do not run on it", UNSUPPORTED_LAYERS, _is_dilated),
    "topk": PlacementRule(
        "topk does not run on it", "roboflow/rf-detr#1495", lambda _, each: each.type == "topk"
    ),
    "kernel": PlacementRule(
        f"kernels wider than {WIDEST_KERNEL} do not run on it", "hollance/neural-engine#1", _has_wide_kernel
    ),
    "3d": PlacementRule(
        "convolutions over three axes do not run on it", "apple/coremltools#1368", _is_three_dimensional
    ),
    "depth": PlacementRule(
        f"sums of more than {DEEPEST_REDUCTION:,} products were not taken by it",
        "chrishayuk/larql#312",
        _deep_reduction,
    ),
    "attention": PlacementRule(
        f"fused attention whose query has less than {SMALLEST_ATTENTION:,} elements was planned for the CPU",
        "vx-lang/Vx#437",
        _is_small_attention,
    ),
}
"""In the order in which they are tried: the first that holds is named."""

RANGES_NOTE: Final = (
    "an input takes a range of shapes: the Neural Engine runs the default shape only, while it can run every "
    f"one of enumerated shapes ({RANGES})"
)
