"""Converts a source twice: a float32 twin to compare with the source, and the package that ships."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import coremltools as ct

from coreml_gate.config import Compression, ModelConfig
from coreml_gate.convert.cache import ConversionCache
from coreml_gate.convert.capture import Captured, Route, capture, documented_export, routes
from coreml_gate.convert.compress import compress
from coreml_gate.convert.conversion import ORIGINS, PACKAGE, Conversion, Task, task_of
from coreml_gate.convert.failures import ConversionFailedError, converter_errors, explained, in_one_line
from coreml_gate.convert.graph import graph_of
from coreml_gate.convert.interface import input_types
from coreml_gate.convert.key import conversion_key
from coreml_gate.convert.missing import missing_hint, missing_message, missing_operations
from coreml_gate.convert.origins import Origin
from coreml_gate.convert.packages import save, save_packages, to_half
from coreml_gate.convert.refusal import refused_operation
from coreml_gate.convert.remedies import remedy
from coreml_gate.convert.shims import identity_shims
from coreml_gate.convert.team import team_package
from coreml_gate.convert.twin import float32_twin
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.frozen import changed
from coreml_gate.mil.package import read_package
from coreml_gate.record import ConversionFacts, MissingOperation, RefusedOperation
from coreml_gate.torch_graph import GRAPH, TorchGraph, write_graph


def convert(
    source: Source,
    samples: Samples,
    config: ModelConfig,
    folder: Path,
    *,
    cache: ConversionCache | None = None,
    closure: str = "",
    clock: Callable[[], float] = time.perf_counter,
) -> Conversion:
    """Converts along the configured route, or along each in turn, into packages below ``folder``.

    The source is captured in any case; what was captured before is taken from the ``cache``. ``closure`` is
    the digest of the source's files. A conversion that fails is a value: status ``failed`` with the
    converter's own words. Raises :class:`~coreml_gate.errors.SourceError` when the source itself cannot run
    the first sample.
    """
    if source.kind == "package":
        return Conversion(ConversionFacts(status="not-needed", route="none"), None, source.path)
    started = clock()
    task = task_of(source, samples, config, folder)
    if config.convert is not None or config.package is not None:
        return _by_team(task, started, clock)
    failures: Failures = []
    for route in routes(source, config):
        if route.endswith("decomposed") and not failures[-1][1].captured:
            continue  # torch.export fails there as it did
        try:
            made = _along(route, task, cache, closure)
        except ConversionFailedError as failure:
            failures.append((route, failure))
        else:
            notes = (*source.notes, *_fallback_notes(failures, task), *made.facts.notes)
            facts = changed(made.facts, seconds=clock() - started, notes=notes)
            return replace(made, facts=facts)
    return Conversion(_failed(failures, task, clock() - started), None, None, graph=folder / GRAPH)


def _by_team(task: Task, started: float, clock: Callable[[], float]) -> Conversion:
    """The team's own package, and a float32 twin; a failure is a value here as well."""
    maker = str(task.config.convert or task.config.package)
    try:
        made = team_package(task)
    except ConversionFailedError as failure:
        facts = ConversionFacts(
            status="failed",
            route="none",
            maker=maker,
            seconds=clock() - started,
            message=failure.message,
            hint=failure.hint,
        )
        return Conversion(facts, None, None)

    def own(config: ModelConfig, folder: Path) -> Conversion:
        return convert(task.source, task.samples, config, folder)

    twin = float32_twin(made, task, own)
    facts = ConversionFacts(
        status="converted",
        route=twin.route,
        maker=maker,
        twin=twin.how,
        seconds=clock() - started,
        notes=(*task.source.notes, *twin.notes),
    )
    return Conversion(facts, twin.path, made.path, graph=twin.graph)


def compress_package(plain: Conversion, options: Compression, folder: Path) -> Conversion:
    """A package that was converted without compression, compressed into ``folder``; the twin is shared.

    A failure is a value, as with :func:`convert`.
    """
    if plain.package is None:
        return plain
    try:
        with converter_errors(folder):
            model = compress(ct.models.MLModel(str(plain.package), skip_model_load=True), options)
            return replace(plain, package=save(model, folder / PACKAGE))
    except ConversionFailedError as failure:
        facts = changed(plain.facts, status="failed", message=failure.message, hint=failure.hint)
        return Conversion(facts, None, None, graph=plain.graph)


def convert_shipped(
    source: Source, samples: Samples, config: ModelConfig, folder: Path, route: Route
) -> tuple[Path, dict[str, Origin]]:
    """Converts once more along a route that worked, the package that ships alone.

    :raises ConversionFailedError: It works no longer.
    """
    task = task_of(source, samples, config, folder)
    with converter_errors(source.root), identity_shims():
        model, origins = to_half(capture(route, source, samples, task.config), task)
    return save(model, folder / PACKAGE), origins


def _along(route: Route, task: Task, cache: ConversionCache | None, closure: str) -> Conversion:
    """One route to the end; what was captured and converted before comes from the cache."""
    try:
        with converter_errors(task.source.root):
            captured = capture(route, task.source, task.samples, task.config)
    except ConversionFailedError as failure:
        failure.captured = False
        raise
    key = None if cache is None else conversion_key(captured, task, closure)
    if cache is None or key is None:
        return _converted(captured, task, route)
    known = cache.load(key, task.folder)
    if known is not None:
        return known
    made = _converted(captured, task, route)
    cache.store(key, made)
    return made


def _converted(captured: Captured, task: Task, route: Route) -> Conversion:
    try:
        return _packaged(captured, task, route)
    except ConversionFailedError as failure:
        stopped = failure.__cause__ and refused_operation(failure.__cause__, captured, task.source.root)
        if stopped:
            failure.refused = stopped
        raise explained(failure) from failure.__cause__


def _packaged(captured: Captured, task: Task, route: Route) -> Conversion:
    with converter_errors(task.source.root), identity_shims() as shims:
        missing = missing_operations(captured.model, input_types(task.samples, task.config, captured.program))
        graph = _keep_graph(captured, task, missing)
        if missing:
            failure = ConversionFailedError(missing_message(missing), missing=missing)
            failure.refused = _first_missing(graph)
            raise failure
        reference, package, computed = save_packages(captured, task)
    notes = [f"`{name}` has no converter in coremltools, ours passes its input on" for name in shims]
    facts = ConversionFacts(
        status="converted",
        route=route,
        notes=(*captured.notes, *notes, *_merged_outputs(reference, task)),
        computed=computed,
    )
    return Conversion(facts, reference, package, task.folder / ORIGINS, task.folder / GRAPH)


def _merged_outputs(package: Path, task: Task) -> Iterator[str]:
    """Names of one tensor: coremltools saves it once, under the last of them."""
    names = task.config.output or tuple(task.outputs)
    saved = [feature.name for feature in read_package(package).interface.outputs]
    for own in dict.fromkeys(saved):
        merged = [f"`{name}`" for name, other in zip(names, saved, strict=True) if other == own]
        if len(merged) > 1:
            yield f"{' and '.join(merged)} are one tensor: the package has one output for them, `{own}`"


def _first_missing(graph: TorchGraph) -> RefusedOperation:
    call = next((call for call in graph.calls if call.support != "works"), None)
    if call is None:
        return RefusedOperation()
    operation = call.operation.rpartition("::")[2]
    return RefusedOperation(operation=operation, module=call.module, place=call.place)


def _keep_graph(captured: Captured, task: Task, missing: tuple[MissingOperation, ...]) -> TorchGraph:
    kinds = [item.operation for item in missing]
    graph = graph_of(captured.model, task.source.root, kinds, captured.frozen_places, captured.filled_states)
    write_graph(graph, task.folder / GRAPH)
    return graph


_ROUTES: Final[Mapping[Route, str]] = {
    "export": "the export route",
    "decomposed": "the export route with torch's core decompositions",
    "undecomposed": "the export route without decompositions",
    "trace": "the trace route",
}
Failures = list[tuple[Route, ConversionFailedError]]


def _fallback_notes(failures: Failures, task: Task) -> list[str]:
    """What had to be done otherwise than the documented call does, and why."""
    documented = documented_export(task.config)
    return [
        (
            f"plain coremltools refuses this model: {in_one_line(failure)}"
            if route == documented and failure.captured
            else f"{_ROUTES[route]} failed: {in_one_line(failure)}"
        )
        for route, failure in failures
    ]


def _says_least(attempt: tuple[Route, ConversionFailedError]) -> tuple[bool, int]:
    """The failure that is told in full: one whose cause is known, and which lacks the fewest converters."""
    failure = attempt[1]
    return not (failure.refused.cause or failure.missing or failure.hint), len(failure.missing)


def _failed(failures: Failures, task: Task, seconds: float) -> ConversionFacts:
    route, main = min(failures, key=_says_least)
    others = [each for each in failures if each[1] is not main]
    way_out = missing_hint(main.missing) if main.missing else main.hint
    found = remedy(task, failures)
    return ConversionFacts(
        status="failed",
        route=route,
        seconds=seconds,
        missing=main.missing,
        message=main.message,
        hint=f"converts with {found} (tried)" + (f"; or {way_out}" if way_out else ".") if found else way_out,
        refused=main.refused,
        notes=(*task.source.notes, *_fallback_notes(others, task)),
    )
