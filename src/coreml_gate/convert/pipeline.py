"""Converts a source twice: a float32 twin to compare with the source, and the package that ships."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import coremltools as ct

from coreml_gate.config import Compression, ModelConfig
from coreml_gate.convert.cache import ConversionCache
from coreml_gate.convert.capture import Captured, Route, capture, routes
from coreml_gate.convert.compress import compress
from coreml_gate.convert.conversion import ORIGINS, PACKAGE, Conversion, Task, task_of
from coreml_gate.convert.failures import ConversionFailedError, converter_errors, in_one_line
from coreml_gate.convert.graph import graph_of
from coreml_gate.convert.interface import input_types
from coreml_gate.convert.key import conversion_key
from coreml_gate.convert.missing import missing_hint, missing_message, missing_operations
from coreml_gate.convert.origins import Origin
from coreml_gate.convert.packages import save, save_packages, to_half
from coreml_gate.convert.shims import identity_shims
from coreml_gate.convert.team import team_package
from coreml_gate.convert.twin import float32_twin
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts, MissingOperation
from coreml_gate.torch_graph import GRAPH, write_graph


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
    failures: list[tuple[Route, ConversionFailedError]] = []
    for route in routes(source, config):
        try:
            made = _along(route, task, cache, closure)
        except ConversionFailedError as failure:
            failures.append((route, failure))
        else:
            notes = (*source.notes, *_fallback_notes(failures), *made.facts.notes)
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
        route="none",
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
    with converter_errors(task.source.root):
        captured = capture(route, task.source, task.samples, task.config)
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
    with converter_errors(task.source.root), identity_shims() as shims:
        missing = missing_operations(captured.model, input_types(task.samples, task.config, captured.program))
        _keep_graph(captured, task, missing)
        if missing:
            raise ConversionFailedError(missing_message(missing), missing=missing)
        reference, package = save_packages(captured, task)
    notes = [f"`{name}` has no converter in coremltools, ours passes its input on" for name in shims]
    facts = ConversionFacts(status="converted", route=route, notes=(*captured.notes, *notes))
    return Conversion(facts, reference, package, task.folder / ORIGINS, task.folder / GRAPH)


def _keep_graph(captured: Captured, task: Task, missing: tuple[MissingOperation, ...]) -> None:
    kinds = [item.operation for item in missing]
    graph = graph_of(captured.model, task.source.root, kinds, captured.frozen_places, captured.filled_states)
    write_graph(graph, task.folder / GRAPH)


def _fallback_notes(failures: list[tuple[Route, ConversionFailedError]]) -> list[str]:
    return [f"the {route} route failed: {in_one_line(failure)}" for route, failure in failures]


def _failed(
    failures: list[tuple[Route, ConversionFailedError]], task: Task, seconds: float
) -> ConversionFacts:
    (route, first), *others = failures
    return ConversionFacts(
        status="failed",
        route=route,
        seconds=seconds,
        missing=first.missing,
        message=first.message,
        hint=missing_hint(first.missing, _untried(task, route)) if first.missing else first.hint,
        notes=(*task.source.notes, *_fallback_notes(others)),
    )


def _untried(task: Task, route: Route) -> Route | None:
    """The other route, where the configuration alone kept it from being tried."""
    chosen = task.source.kind == "module" and task.config.conversion == route
    return ("trace" if route == "export" else "export") if chosen else None
