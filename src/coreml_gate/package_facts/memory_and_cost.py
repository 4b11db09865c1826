"""Memory and cost of a package for the shapes of one run, and peaks for all other shapes that it takes."""

from collections.abc import Mapping
from typing import Final

from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.mil.cost import Cost, OperationCost, costs, has_loops, weights_read
from coreml_gate.mil.graph import DECLARED, Shapes, peak
from coreml_gate.mil.memory import Overhead, overheads, timeline
from coreml_gate.mil.outline import UNKNOWN, ModuleNames, modules_of
from coreml_gate.mil.package import Package
from coreml_gate.package_facts.description import memory_facts
from coreml_gate.package_facts.shapes import ShapeCase, shape_cases, shape_text, zeros
from coreml_gate.record import CostFacts, MemoryFacts, ModuleCost, OverheadFacts, ShapeMemory
from coreml_gate.runtime import Model
from coreml_gate.untyped import MilValue

TIMELINE_WIDTH: Final = 48
MOST_NEAR_PEAK: Final = 8
MOST_OVERHEADS: Final = 5
MOST_MODULES: Final = 12
MOST_MACS: Final = 2e11
"""A larger case takes a runner more than 10 s; attention grows with the square of the shape."""
MOST_BYTES: Final = 4e9


def measured_footprint(
    model: Model, inputs: Mapping[str, MilValue], names: ModuleNames = UNKNOWN
) -> tuple[MemoryFacts, CostFacts]:
    """Memory and cost for these inputs, and the peaks of the other shapes that the package takes.

    :param names: Of modules as in the source.
    """
    shapes = model.shapes(inputs, model.make_state())
    memory, cost = footprint(model.package, shapes, names)
    if not any(feature.flexible for feature in model.interface.inputs):
        return memory, cost
    own = _own_shapes(model, inputs)
    text = shape_text(model.interface, own)
    memory = changed(memory, shape=text)
    others = tuple(
        _case(model, case, memory, cost, ShapeCase(own).elements)
        for case in shape_cases(model.interface)
        if shape_text(model.interface, case.shapes) != text or case.unbounded
    )
    return changed(memory, other_shapes=others), changed(cost, shape=text)


def footprint(
    package: Package, shapes: Shapes = DECLARED, names: ModuleNames = UNKNOWN
) -> tuple[MemoryFacts, CostFacts]:
    """Memory and cost for the shapes of a run, or without one for those that the program declares.

    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    function = package.function()
    line = timeline(function, shapes)
    extra = overheads(function, shapes)
    memory = changed(
        memory_facts(package, peak(function, shapes)),
        timeline=line.compact(TIMELINE_WIDTH),
        near_peak=line.near_peak()[:MOST_NEAR_PEAK],
        overheads=_largest(extra),
        lasting_overhead_bytes=sum(each.bytes for each in extra if each.lasting),
        passing_overhead_bytes=max((each.bytes for each in extra if not each.lasting), default=0),
    )
    cost = _cost_facts(modules_of(function, names), costs(function, shapes), has_loops(function))
    return memory, changed(cost, weights_read=weights_read(function, shapes))


def _largest(extra: tuple[Overhead, ...]) -> tuple[OverheadFacts, ...]:
    ordered = sorted(extra, key=lambda each: -each.bytes)[:MOST_OVERHEADS]
    return tuple(
        OverheadFacts(
            kind=each.kind,
            operation=each.operation,
            bytes=each.bytes,
            lasting=each.lasting,
            text=each.text,
        )
        for each in ordered
    )


def _cost_facts(modules: Mapping[str, str], found: tuple[OperationCost, ...], loops: bool) -> CostFacts:  # noqa: FBT001 - a field
    by_module: dict[str, Cost] = {}
    for item in found:
        module = modules[item.operation.name]
        by_module[module] = by_module.get(module, Cost()) + item.cost
    ordered = sorted(by_module.items(), key=lambda part: (-part[1].macs, -part[1].bytes, part[0]))
    total = sum((item.cost for item in found), Cost())
    return CostFacts(
        macs=total.macs,
        elementwise=total.elementwise,
        bytes=total.bytes,
        operations=total.operations,
        modules=tuple(
            ModuleCost(name=name, macs=cost.macs, bytes=cost.bytes, operations=cost.operations)
            for name, cost in ordered[:MOST_MODULES]
        ),
        loops=loops,
    )


def _case(model: Model, case: ShapeCase, own: MemoryFacts, cost: CostFacts, elements: int) -> ShapeMemory:
    text = shape_text(model.interface, case.shapes)
    if case.unbounded:
        text += " and more"
    growth = case.elements / max(1, elements)
    if cost.macs * growth**2 > MOST_MACS or own.activation_bytes * growth**2 > MOST_BYTES:
        return ShapeMemory(shape=text, problem=f"{growth:.0f} times the sample: too large to be run here")
    try:
        found = model.peak(zeros(model.interface, case), model.make_state())
    except GateError as error:
        return ShapeMemory(shape=text, problem=error.message)
    return ShapeMemory(shape=text, activation_bytes=found.bytes, peak_operation=found.operation)


def _own_shapes(model: Model, inputs: Mapping[str, MilValue]) -> dict[str, tuple[int, ...]]:
    """The shapes of the inputs as in the interface, which are height and width for an image."""
    return {
        item.name: tuple(inputs[item.name].shape[: len(item.shape)]) if item.name in inputs else item.shape
        for item in model.interface.inputs
    }
