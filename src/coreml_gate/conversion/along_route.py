"""Runs one conversion route: capture, inspection, conversion and saving, or the reason of its failure."""

import gc
from collections.abc import Iterator
from pathlib import Path

from coreml_gate.conversion.cache import ConversionCache
from coreml_gate.conversion.capture import Captured, capture
from coreml_gate.conversion.conversion import ORIGINS, Conversion, Task
from coreml_gate.conversion.failures import ConversionFailedError, converter_errors, explained
from coreml_gate.conversion.graph import graph_of
from coreml_gate.conversion.graph_names import short_name
from coreml_gate.conversion.interface import input_types
from coreml_gate.conversion.key import conversion_key
from coreml_gate.conversion.missing import missing_message, missing_operations
from coreml_gate.conversion.packages import save_packages
from coreml_gate.conversion.refusal import refused_operation
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.mil.package import read_package
from coreml_gate.record import ConversionFacts, MissingOperation, RefusedOperation, Route
from coreml_gate.torch_graph import GRAPH, TorchGraph, write_graph


def along_route(route: Route, task: Task, cache: ConversionCache | None, closure: str) -> Conversion:
    """The result of one route; earlier captures and conversions come from the cache."""
    try:
        with converter_errors(task.source.root):
            captured = capture(route, task.source, task.samples, task.config)
    except ConversionFailedError as failure:
        failure.captured = False
        raise
    key = None if cache is None else conversion_key(captured, task, closure)
    if cache is None or key is None:
        return _converted(captured, task, route)
    with cache.alone(key):
        known = cache.load(key, task.folder)
        if known is not None:
            return known
        made = _converted(captured, task, route)
        cache.store(key, made)
        return made


def _converted(captured: Captured, task: Task, route: Route) -> Conversion:
    with converter_errors(task.source.root), identity_shims():
        missing = missing_operations(captured.model, input_types(task.samples, task.config, captured.program))
        graph = _keep_graph(captured, task, missing)
    try:
        if missing:
            raise _lacking(missing, graph)
        return _packaged(captured, task, route)
    except ConversionFailedError as failure:
        failure.graph = graph
        stopped = failure.__cause__ and refused_operation(failure.__cause__, captured, task.source.root)
        if stopped:
            failure.refused = stopped
        raise explained(failure) from failure.__cause__


def _packaged(captured: Captured, task: Task, route: Route) -> Conversion:
    with converter_errors(task.source.root), identity_shims() as shims:
        reference, package, computed = save_packages(captured, task)
        gc.collect()  # the converter's programs have reference cycles and hold the weights
    notes = [
        f"`{name}` has no converter in coremltools, so the gate's own passes its input through"
        for name in shims
    ]
    facts = ConversionFacts(
        status="converted",
        route=route,
        notes=(*captured.notes, *notes, *_merged_outputs(reference, task)),
        computed=computed,
    )
    return Conversion(facts, reference, package, task.folder / ORIGINS, task.folder / GRAPH)


def _merged_outputs(package: Path, task: Task) -> Iterator[str]:
    """Names of the same tensor, which coremltools saves once, under the last name."""
    names = task.config.output or tuple(task.outputs)
    saved = [feature.name for feature in read_package(package).interface.outputs]
    for own in dict.fromkeys(saved):
        merged = [f"`{name}`" for name, other in zip(names, saved, strict=True) if other == own]
        if len(merged) > 1:
            yield f"{' and '.join(merged)} are one tensor: the package has one output for them, `{own}`"


def _lacking(missing: tuple[MissingOperation, ...], graph: TorchGraph) -> ConversionFailedError:
    failure = ConversionFailedError(missing_message(missing), missing=missing)
    failure.refused = _first_missing(graph)
    return failure


def _first_missing(graph: TorchGraph) -> RefusedOperation:
    call = next((call for call in graph.calls if call.support != "works"), None)
    if call is None:
        return RefusedOperation()
    readers = (other.place for other in graph.calls if call.name in other.inputs.values())
    place = call.place or next(filter(None, readers), "")  # a script has no line for a dict
    return RefusedOperation(operation=short_name(call.operation), module=call.module, place=place)


def _keep_graph(captured: Captured, task: Task, missing: tuple[MissingOperation, ...]) -> TorchGraph:
    kinds = [item.operation for item in missing]
    graph = graph_of(captured.model, task.source.root, kinds, captured.frozen_places, captured.filled_states)
    write_graph(graph, task.folder / GRAPH)
    return graph
