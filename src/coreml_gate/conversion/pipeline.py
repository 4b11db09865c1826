"""Converts a source to two packages: a float32 twin to compare with the source, and the one that ships."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from coreml_gate.config import ModelConfig
from coreml_gate.conversion.along_route import along_route
from coreml_gate.conversion.cache import ConversionCache
from coreml_gate.conversion.capture import routes
from coreml_gate.conversion.conversion import Conversion, Task, task_of
from coreml_gate.conversion.failed_routes import Failures, failed_conversion, fallback_notes, most_informative
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.team_conversion import by_team
from coreml_gate.engines.engine import Outputs
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts
from coreml_gate.torch_graph import GRAPH, write_graph


def convert(
    source: Source,
    samples: Samples,
    config: ModelConfig,
    folder: Path,
    *,
    cache: ConversionCache | None = None,
    closure: str = "",
    outputs: Outputs | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Conversion:
    """Converts along the configured route, or tries each in turn, into packages below ``folder``.

    The source is always captured; earlier conversions come from the ``cache``. ``closure`` is the digest of
    the source's files; ``outputs`` are its outputs for the first sample by its own names, for which it runs
    if they are not given.

    A failed conversion is a value: status ``failed`` with the converter's own message. Raises
    :class:`~coreml_gate.errors.SourceError` if the source itself cannot run the first sample.
    """
    if source.kind == "package":
        return Conversion(ConversionFacts(status="not-needed", route="none"), None, source.path)
    started = clock()
    task = task_of(source, samples, config, folder, outputs)
    if config.convert is not None or config.package is not None:
        return by_team(task, partial(convert, source, samples), started, clock)
    failures: Failures = []
    for route in routes(source, config):
        if route == "decomposed" and failures and not failures[-1][1].captured:
            continue  # torch.export fails there as it did
        try:
            made = along_route(route, task, cache, closure)
        except ConversionFailedError as failure:
            failures.append((route, failure))
        else:
            notes = (*source.notes, *fallback_notes(failures, route), *made.facts.notes)
            facts = changed(made.facts, seconds=clock() - started, notes=notes)
            return replace(made, facts=facts)
    return _refused(failures, task, clock() - started)


def _refused(failures: Failures, task: Task, seconds: float) -> Conversion:
    """The result without a package; its graph is that of the reported failure, so that rules match it."""
    graph, path = most_informative(failures)[1].graph, task.folder / GRAPH
    if graph is not None:
        write_graph(graph, path)
    return Conversion(failed_conversion(failures, task, seconds), None, None, graph=path)
