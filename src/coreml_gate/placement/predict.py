"""The placement of a package by the rules: marked as a prediction, and never taken for a measurement."""

import math
from collections.abc import Container, Sequence
from itertools import pairwise
from typing import Final

from coreml_gate.mil.ir import Operation, TensorType, Value
from coreml_gate.mil.package import Package
from coreml_gate.mil.values import Values
from coreml_gate.placement.rules import RANGES_NOTE, RULES
from coreml_gate.record import ComputeDevice, ComputeUnits, OffEngine, Placement

_CONSTANT = "const"
_SOURCE: Final = "machinelearning.apple.com/research/neural-engine-transformers"
_ALIGNED_ELEMENTS: Final = 32
"""64 bytes of halves (the source's page: a token count that is not a multiple of 32 costs a transformer)."""
_WORTH_SAYING: Final = 1.1
"""Growth from which on it is said: a tenth more memory and transfer."""


def predict_placement(package: Package, units: ComputeUnits) -> Placement:
    """What stays off the Neural Engine; everything else is ``unknown``: residency itself cannot be predicted.

    Where the model may not use the Neural Engine at all, nothing is predicted.
    """
    if units in {"CPU_ONLY", "CPU_AND_GPU"}:
        return Placement(origin="prediction", units=units)
    values = Values(package.function())
    operations = [each for each in package.function().block.walk() if not each.type.startswith(_CONSTANT)]
    flexible = any(feature.ranges for feature in package.interface.inputs)
    reasons = {id(each): reason for each in operations if (reason := _reason(values, each))}
    devices: dict[ComputeDevice, int] = {"unknown": len(operations)}
    return Placement(
        origin="prediction",
        units=units,
        devices={device: count for device, count in devices.items() if count},
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
        note="; ".join(filter(None, (RANGES_NOTE if flexible else "", _alignment_note(operations)))),
    )


def _reason(values: Values, operation: Operation) -> str:
    return next((str(rule) for rule in RULES.values() if rule.holds(values, operation)), "")


def _segments(operations: Sequence[Operation], off: Container[int]) -> int:
    """The fewest stretches that the rules allow: each change between on and off begins a new one."""
    sides = [id(each) in off for each in operations]
    return sum(before != after for before, after in pairwise(sides)) + bool(sides)


def _padded_elements(shape: tuple[int, ...]) -> int:
    """Elements of a value whose last axis the Neural Engine pads; one of 1 grows 32 times."""
    last = math.ceil(shape[-1] / _ALIGNED_ELEMENTS) * _ALIGNED_ELEMENTS
    return math.prod(shape[:-1]) * last


def _alignment_note(operations: Sequence[Operation]) -> str:
    """What padding costs over all values of known shape in half precision, and which grows most."""
    shapes = {value.name: shape for each in operations for value in each.outputs if (shape := _shape(value))}
    plain = sum(math.prod(shape) for shape in shapes.values())
    padded = sum(_padded_elements(shape) for shape in shapes.values())
    if not plain or padded < _WORTH_SAYING * plain:
        return ""
    name = max(shapes, key=lambda each: _padded_elements(shapes[each]) - math.prod(shapes[each]))
    return (
        f"the Neural Engine pads the last axis to {_ALIGNED_ELEMENTS} halves: this program's values grow to "
        f"{padded / plain:.2g} times their size, `{name}` {shapes[name]} most ({_SOURCE})"
    )


def _shape(value: Value) -> tuple[int, ...]:
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.dtype != "fp16" or None in type_.shape:
        return ()
    return tuple(size or 0 for size in type_.shape)
