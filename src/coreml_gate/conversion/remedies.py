"""Ways out of a refused conversion that are found by trying them: what is said to convert, did."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import coremltools as ct

from coreml_gate.config import ModelConfig
from coreml_gate.config.options import Converter
from coreml_gate.conversion.capture import Route, capture, routes
from coreml_gate.conversion.conversion import Task
from coreml_gate.conversion.failures import ConversionFailedError, converter_errors
from coreml_gate.conversion.packages import to_core_ml
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.frozen import changed

_TARGETS: Final = ("iOS15", "iOS16", "iOS17", "iOS18")
_MOST_S: Final = 60.0
"""How long is tried in all."""


@dataclass(frozen=True)
class _Remedy:
    """One change of the configuration, as it is written there."""

    written: str
    config: ModelConfig


def remedy(
    task: Task,
    failures: Sequence[tuple[Route, ConversionFailedError]],
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """The first change of the configuration with which the source converts; empty where none was found.

    Another route where the configuration chose one, without the pass that raised, for a later system.
    """
    started = clock()
    failed = {route for route, _ in failures}
    for each in _remedies(task, failures):
        for route in routes(task.source, each.config):
            if each.config.conversion != task.config.conversion and route in failed:
                continue
            if clock() - started > _MOST_S:
                return ""
            if _converts(task, each.config, route):
                return each.written
    return ""


def _remedies(task: Task, failures: Sequence[tuple[Route, ConversionFailedError]]) -> Iterator[_Remedy]:
    config = task.config
    if task.source.kind == "module" and config.conversion != "auto":
        other = "export" if config.conversion == "trace" else "trace"
        yield _Remedy(f'`conversion = "{other}"`', changed(config, conversion=other))
    if all(failure.missing for _, failure in failures):
        return  # no pass and no target brings a converter
    for culprit in dict.fromkeys(
        filter(None, (failure.refused.optimisation_pass for _, failure in failures))
    ):
        skipped = (*config.converter.skip_passes, culprit)
        written = ", ".join(f'"{name}"' for name in skipped)
        yield _Remedy(
            f"`converter = {{ skip-passes = [{written}] }}`",
            changed(config, converter=Converter(skip_passes=skipped)),
        )
    for target in _TARGETS[_TARGETS.index(config.deployment_target) + 1 :]:
        yield _Remedy(f'`deployment-target = "{target}"`', changed(config, deployment_target=target))


def _converts(task: Task, config: ModelConfig, route: Route) -> bool:
    """Does the float32 package come to be? Half precision changes types after everything that refuses."""
    changed_task = Task(task.source, task.samples, config, task.folder, task.outputs)
    try:
        with converter_errors(task.source.root), identity_shims():
            captured = capture(route, task.source, task.samples, config)
            to_core_ml(captured, changed_task, ct.precision.FLOAT32)
    except ConversionFailedError:
        return False
    return True
