"""Which operations can the Neural Engine not run? A prediction from documented rules, without a Mac.

Core ML decides with an unpublished cost model, for the chip and system at hand. A rule can therefore only say
what certainly or probably stays off the Neural Engine, never what runs there. The result is marked as a
prediction and never treated as a measurement.
"""

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from coreml_gate.errors import PackageError
from coreml_gate.mil.ir import Operation, TensorType, Value
from coreml_gate.mil.package import Package
from coreml_gate.mil.values import Values
from coreml_gate.record import ComputeUnits, OffEngine, Placement

_TYPED_EXECUTION: Final = "apple.github.io/coremltools/docs-guides/source/typed-execution.html"
_UNSUPPORTED_LAYERS: Final = "github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md"
_RANGES: Final = "developer.apple.com/forums/thread/724930"

_DEEPEST_REDUCTION: Final = 16384
_SMALLEST_ATTENTION: Final = 2 * 1024 * 1024
"""Elements of the smallest query planned for the Neural Engine; half as many were not."""
_SHALLOWEST_ROW: Final = 4864
"""Products in the longest sum over a single row planned for the CPU; 5,120 went to the engine."""
_WIDEST_KERNEL: Final = 13
_AXES_OF_A_3D_WEIGHT: Final = 5
_RECURRENT: Final = frozenset({"lstm", "gru", "rnn"})
_GATHER: Final = frozenset({"gather", "gather_along_axis", "gather_nd"})
_MOVES_TYPES: Final = frozenset({"cast"})
"""A cast between float32 and float16 is not what keeps the work off the engine."""
_RANGES_NOTE: Final = (
    "an input takes a range of shapes: the Neural Engine runs the default shape only, while it can run every "
    f"one of enumerated shapes ({_RANGES})"
)
_CONSTANT = "const"
_SOURCE: Final = "machinelearning.apple.com/research/neural-engine-transformers"
_ALIGNED_ELEMENTS: Final = 32
"""64 bytes of halves (by the page in ``_SOURCE``, other token counts slow a transformer down)."""
_WORTH_SAYING: Final = 1.1
"""Growth that is worth a note: a tenth more memory and transfer."""


@dataclass(frozen=True)
class _PlacementRule:
    """A reason, the test for whether it applies to an operation, and its source."""

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
    return operation.type == "conv" and _greatest(values, operation, "dilations") > 1


def _greatest(values: Values, operation: Operation, parameter: str) -> float:
    """The greatest number of a constant; 0 where it is missing or, in a damaged package, not a number."""
    constant = values.constant(operation, parameter)
    numbers = np.asarray(() if constant is None else constant)
    return float(numbers.max()) if numbers.size and numbers.dtype.kind in "iuf" else 0.0


def _shape(values: Values, operation: Operation, parameter: str) -> tuple[int, ...]:
    """The shape of an operand, or empty if a dimension is open, because a rule then cannot decide."""
    try:
        return values.shape(operation, parameter) or ()
    except PackageError:
        return ()


def _deep_reduction(values: Values, operation: Operation) -> bool:
    """More terms in one sum than the engine takes: all axes of the weight except its outputs."""
    if operation.type not in {"linear", "conv"}:
        return False
    shape = _shape(values, operation, "weight")
    return math.prod(shape[1:]) > _DEEPEST_REDUCTION


def _is_shallow_row(values: Values, operation: Operation) -> bool:
    """A matrix times a single vector; with several rows, short sums do go to the engine."""
    if operation.type != "linear":
        return False
    rows, weight = _shape(values, operation, "x")[:-1], _shape(values, operation, "weight")
    return bool(rows) and math.prod(rows) == 1 and 0 < math.prod(weight[1:]) <= _SHALLOWEST_ROW


def _is_small_attention(values: Values, operation: Operation) -> bool:
    if operation.type != "scaled_dot_product_attention":
        return False
    shape = _shape(values, operation, "query")
    return bool(shape) and math.prod(shape) < _SMALLEST_ATTENTION


def _has_wide_kernel(values: Values, operation: Operation) -> bool:
    if operation.type == "conv":
        shape = _shape(values, operation, "weight")
        return max(shape[2:], default=0) > _WIDEST_KERNEL
    return operation.type.endswith("_pool") and _greatest(values, operation, "kernel_sizes") > _WIDEST_KERNEL


def _is_three_dimensional(values: Values, operation: Operation) -> bool:
    weight = _shape(values, operation, "weight") if operation.type == "conv" else ()
    return len(weight) == _AXES_OF_A_3D_WEIGHT


RULES: Final[Mapping[str, _PlacementRule]] = {
    "type": _PlacementRule("the Neural Engine computes in float16 only", _TYPED_EXECUTION, _is_not_half),
    "recurrent": _PlacementRule(
        "recurrent layers do not run on it", _UNSUPPORTED_LAYERS, lambda _, each: each.type in _RECURRENT
    ),
    "gather": _PlacementRule(
        "gather does not run on it", _UNSUPPORTED_LAYERS, lambda _, each: each.type in _GATHER
    ),
    "dilation": _PlacementRule("dilated convolutions do not run on it", _UNSUPPORTED_LAYERS, _is_dilated),
    "topk": _PlacementRule(
        "topk does not run on it", "roboflow/rf-detr#1495", lambda _, each: each.type == "topk"
    ),
    "cumsum": _PlacementRule(
        "cumsum does not run on it", "chrishayuk/larql#312", lambda _, each: each.type == "cumsum"
    ),
    "kernel": _PlacementRule(
        f"kernels wider than {_WIDEST_KERNEL} do not run on it", "hollance/neural-engine#1", _has_wide_kernel
    ),
    "3d": _PlacementRule(
        "convolutions over three axes do not run on it", "apple/coremltools#1368", _is_three_dimensional
    ),
    "depth": _PlacementRule(
        f"sums of more than {_DEEPEST_REDUCTION:,} products were not taken by it",
        "chrishayuk/larql#312",
        _deep_reduction,
    ),
    "row": _PlacementRule(
        f"a `linear` over one row with sums of at most {_SHALLOWEST_ROW:,} products was planned for the CPU",
        "chrishayuk/larql#312, docs/graph/ANEDECODE.md of thisisthepy/torchnative",
        _is_shallow_row,
    ),
    "attention": _PlacementRule(
        f"fused attention whose query has less than {_SMALLEST_ATTENTION:,} elements was planned for the CPU",
        "vx-lang/Vx#437",
        _is_small_attention,
    ),
}
"""In the order in which they are tried; the first that applies is named."""


def predict_placement(package: Package, units: ComputeUnits) -> Placement:
    """What stays off the Neural Engine; the rest is ``unknown``, since residency itself cannot be predicted.

    Nothing is predicted for a model that may not use the Neural Engine at all.
    """
    if units in {"CPU_ONLY", "CPU_AND_GPU"}:
        return Placement(origin="prediction", units=units)
    values = Values(package.function())
    operations = [each for each in package.function().block.walk() if not each.type.startswith(_CONSTANT)]
    flexible = any(feature.ranges for feature in package.interface.inputs)
    reasons = {id(each): reason for each in operations if (reason := _reason(values, each))}
    return Placement(
        origin="prediction",
        units=units,
        devices={"unknown": len(operations)} if operations else {},
        off_engine=tuple(
            OffEngine(
                operation=each.name,
                operation_type=each.type,
                device="unknown",
                reason=reasons[id(each)],
            )
            for each in operations
            if id(each) in reasons
        ),
        segments=_segments(operations, reasons.keys()),
        note="; ".join(filter(None, (_RANGES_NOTE if flexible else "", _alignment_note(operations)))),
    )


def _reason(values: Values, operation: Operation) -> str:
    return next((str(rule) for rule in RULES.values() if rule.holds(values, operation)), "")


def _segments(operations: Sequence[Operation], off: Container[int]) -> int:
    """The fewest segments that the rules allow: each change between on and off begins a new one."""
    sides = [id(each) in off for each in operations]
    return sum(before != after for before, after in pairwise(sides)) + bool(sides)


def _padded_elements(shape: tuple[int, ...]) -> int:
    """Elements of a value after the Neural Engine has padded its last axis; an axis of 1 grows 32 times."""
    last = math.ceil(shape[-1] / _ALIGNED_ELEMENTS) * _ALIGNED_ELEMENTS
    return math.prod(shape[:-1]) * last


def _alignment_note(operations: Sequence[Operation]) -> str:
    """How much padding adds to all half-precision values of known shape, and which grows most."""
    shapes = {value.name: shape for each in operations for value in each.outputs if (shape := _halves(value))}
    plain = sum(math.prod(shape) for shape in shapes.values())
    padded = sum(_padded_elements(shape) for shape in shapes.values())
    if not plain or padded < _WORTH_SAYING * plain:
        return ""
    name = max(shapes, key=lambda each: _padded_elements(shapes[each]) - math.prod(shapes[each]))
    return (
        f"the Neural Engine pads the last axis to {_ALIGNED_ELEMENTS} halves: this program's values grow to "
        f"{padded / plain:.2g} times their size, `{name}` {shapes[name]} most ({_SOURCE})"
    )


def _halves(value: Value) -> tuple[int, ...]:
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.dtype != "fp16" or None in type_.shape:
        return ()
    return tuple(size or 0 for size in type_.shape)
