"""Reads Core ML's compute plan of a compiled model: the hardware that it chose for each operation."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import coremltools as ct
from coremltools.models.compute_device import (
    MLCPUComputeDevice,
    MLGPUComputeDevice,
    MLNeuralEngineComputeDevice,
)
from coremltools.models.compute_plan import MLComputePlan

from coreml_gate.errors import PackageError
from coreml_gate.record import ComputeDevice, ComputeUnits, OffEngine, Placement
from coreml_gate.untyped import CoreMlObject

_DEVICES: dict[type, ComputeDevice] = {
    MLCPUComputeDevice: "CPU",
    MLGPUComputeDevice: "GPU",
    MLNeuralEngineComputeDevice: "NE",
}
_CONSTANT = "const"
"""Constants, compressed ones included, have no placement in a plan."""


@dataclass(frozen=True)
class Planned:
    """One operation of a plan."""

    name: str
    type: str
    device: ComputeDevice
    cost: float | None


def read_plan(
    compiled: Path, units: ComputeUnits, default: str = "main", function: str | None = None
) -> Placement:
    """The placement of the operations of a package's function ``default``, the only one that can be planned.

    ``compiled`` is an ``.mlmodelc``: a package aborts the process (apple/coremltools#2757). Raises
    :class:`PackageError` if it contains no ML Program, and for another ``function``, because coremltools 9.0
    passes no function name when it loads a plan.
    """
    if function not in {None, default}:
        raise PackageError(
            f"Core ML's Python cannot plan function `{function}`: it plans the default one, `{default}`.",
            f"save a package whose default function is `{function}`.",
        )
    plan = MLComputePlan.load_from_path(str(compiled), compute_units=ct.ComputeUnit[units])
    program = plan.model_structure.program
    if program is None:
        raise PackageError(
            f"compiled model `{compiled.name}` has no ML Program: its placement is not known.",
            "convert it to an ML Program (deployment target iOS15 and later).",
        )
    if default not in program.functions:
        raise PackageError(
            f"the plan has no function `{default}`, only {', '.join(sorted(program.functions))}.",
            "is this the compiled model of the package?",
        )
    operations = _operations(program.functions[default].block)
    return placement_of(tuple(_planned(plan, each) for each in operations), units)


@dataclass(frozen=True)
class ListedOperation:
    """One operation of a plan as Core ML reports it, including constants; ``None`` if not reported."""

    name: str
    type: str
    device: ComputeDevice | None
    supported: tuple[ComputeDevice, ...]
    cost: float | None


def list_plan(compiled: Path, units: ComputeUnits, default: str) -> tuple[ListedOperation, ...]:
    """Every operation of the default function's block, for a recording."""
    plan = MLComputePlan.load_from_path(str(compiled), compute_units=ct.ComputeUnit[units])
    program = plan.model_structure.program
    operations = () if program is None else program.functions[default].block.operations
    return tuple(_listed(plan, each) for each in operations)


def _listed(plan: MLComputePlan, operation: CoreMlObject) -> ListedOperation:
    usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
    cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
    return ListedOperation(
        name=operation.outputs[0].name if operation.outputs else "",
        type=operation.operator_name,
        device=None if usage is None else _device(usage.preferred_compute_device),
        supported=() if usage is None else tuple(map(_device, usage.supported_compute_devices)),
        cost=None if cost is None else float(cost.weight),
    )


def placement_of(operations: Sequence[Planned], units: ComputeUnits) -> Placement:
    """Counts, segments, and operations off the Neural Engine; unknown if Core ML reports nothing."""
    devices = [each.device for each in operations]
    changes = sum(before != after for before, after in pairwise(devices))
    return Placement(
        origin="compute plan",
        units=units,
        devices=dict(Counter(devices)),
        cost=_cost(operations),
        off_engine=tuple(
            OffEngine(operation=each.name, operation_type=each.type, device=each.device)
            for each in operations
            if each.device in {"CPU", "GPU"}
        ),
        segments=None if "unknown" in devices or not devices else changes + 1,
    )


def _cost(operations: Sequence[Planned]) -> dict[ComputeDevice, float] | None:
    totals: dict[ComputeDevice, float] = {}
    for each in operations:
        if each.cost is None:
            return None
        totals[each.device] = totals.get(each.device, 0.0) + each.cost
    return totals or None


def _operations(block: CoreMlObject) -> Iterator[CoreMlObject]:
    for operation in block.operations:
        if not operation.operator_name.rpartition(".")[2].startswith(_CONSTANT):
            yield operation
        for inner in operation.blocks:
            yield from _operations(inner)


def _planned(plan: MLComputePlan, operation: CoreMlObject) -> Planned:
    each = _listed(plan, operation)
    return Planned(each.name or each.type, each.type.rpartition(".")[2], each.device or "unknown", each.cost)


def _device(device: object) -> ComputeDevice:
    names = (name for type_, name in _DEVICES.items() if isinstance(device, type_))
    return next(names, "unknown")
