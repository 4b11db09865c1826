"""The placement of a package by the rules: marked as a prediction, and never taken for a measurement."""

from collections.abc import Container, Sequence
from itertools import pairwise

from coreml_gate.mil.ir import Operation
from coreml_gate.mil.package import Package
from coreml_gate.mil.values import Values
from coreml_gate.placement.alignment import alignment_note
from coreml_gate.placement.rules import RANGES_NOTE, RULES
from coreml_gate.record import ComputeDevice, ComputeUnits, OffEngine, Placement

_CONSTANT = "const"


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
        note="; ".join(filter(None, (RANGES_NOTE if flexible else "", alignment_note(operations)))),
    )


def _reason(values: Values, operation: Operation) -> str:
    return next((str(rule) for rule in RULES.values() if rule.holds(values, operation)), "")


def _segments(operations: Sequence[Operation], off: Container[int]) -> int:
    """The fewest stretches that the rules allow: each change between on and off begins a new one."""
    sides = [id(each) in off for each in operations]
    return sum(before != after for before, after in pairwise(sides)) + bool(sides)
