"""Failed routes: the most informative failure, the others, and a fix that was found by trying it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import coremltools as ct

from coreml_gate.config import ModelConfig
from coreml_gate.config.options import DEPLOYMENT_TARGETS, Converter
from coreml_gate.conversion.capture import capture, routes
from coreml_gate.conversion.conversion import Task
from coreml_gate.conversion.failures import CAUSES, ConversionFailedError, converter_errors, in_one_line
from coreml_gate.conversion.graph_names import short_name
from coreml_gate.conversion.packages import to_core_ml
from coreml_gate.conversion.refusals_of_models import MODEL_CAUSES
from coreml_gate.conversion.shims import identity_shims
from coreml_gate.conversion.ways_out import missing_hint
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts, Route

_ROUTES: Final[Mapping[Route, str]] = {
    "export": "the export route",
    "decomposed": "the export route with torch's core decompositions",
    "trace": "the trace route",
}
_OF_MODELS: Final = frozenset(cause.cause for cause in MODEL_CAUSES)
_VAGUE: Final = frozenset(cause.cause for cause in CAUSES if cause.vague)
Failures = list[tuple[Route, ConversionFailedError]]
_NEEDED: Final = "common::dedup_op_and_var_names"
"""Without this pass, two values of a package may have one name."""
_MOST_S: Final = 60.0
"""The total time for trying fixes."""


def fallback_notes(failures: Failures, made: Route | None = None) -> list[str]:
    """How the conversion differs from the documented call, and why; ``made`` is the successful one."""
    ending = "" if made is None else f"; converted by {_ROUTES[made]}"
    return [
        (
            f"the documented call of coremltools rejects this model: {in_one_line(failure)}{ending}"
            if route == "export" and failure.captured
            else f"{_ROUTES[route]} failed: {in_one_line(failure)}"
        )
        for route, failure in failures
    ]


def most_informative(failures: Failures) -> tuple[Route, ConversionFailedError]:
    """The failure to report in full."""
    graphs = [failure.graph for route, failure in failures if route != "decomposed" and failure.graph]
    written = frozenset(short_name(call.operation) for graph in graphs for call in graph.calls)
    return min(failures, key=lambda attempt: _least_informative(attempt, written))


def _least_informative(
    attempt: tuple[Route, ConversionFailedError], written: frozenset[str]
) -> tuple[int, ...]:
    """The sort key of a failure, smallest for the most informative one.

    These make it less informative, in order: an unknown or vague cause, a missing operation that has no fix
    or that torch substituted, more missing operations, a cause of the whole model, no source line.
    ``written`` are the source's own operations: at another one, a cause of the whole model means little.
    """
    route, failure = attempt
    cause, missing = failure.refused.cause, failure.missing
    known = bool(cause or missing or failure.hint)
    of_model = cause in _OF_MODELS
    elsewhere = bool(written) and failure.refused.operation not in written
    of_torch = route == "decomposed" and (bool(missing) or (of_model and elsewhere))
    vague = cause in _VAGUE
    return not known, vague, failure.stuck, of_torch, len(missing), of_model, not failure.refused.place


def failed_conversion(failures: Failures, task: Task, seconds: float) -> ConversionFacts:
    """The facts of a conversion in which every route failed."""
    route, main = most_informative(failures)
    others = [each for each in failures if each[1] is not main]
    scripted = task.source.kind == "torchscript"
    hint = missing_hint(main.missing, main.graph, scripted=scripted) if main.missing else main.hint
    found = _remedy(task, failures)
    places = (failure.refused for _, failure in failures if failure.refused.place)
    at = main.refused if main.refused.place else next(places, main.refused)
    return ConversionFacts(
        status="failed",
        route=route,
        seconds=seconds,
        missing=main.missing,
        message=main.message,
        hint=f"converts with {found} (tried)" + (f"; or {hint}" if hint else ".") if found else hint,
        refused=at if at is main.refused else changed(at, cause=""),
        notes=(*task.source.notes, *fallback_notes(others)),
    )


@dataclass(frozen=True)
class _Remedy:
    """One change of the configuration, as written in it."""

    written: str
    config: ModelConfig


def _remedy(task: Task, failures: Sequence[tuple[Route, ConversionFailedError]]) -> str:
    """The first change of the configuration with which the source converts; empty if none was found.

    It tries another route if the configuration chose one, skipping the pass that raised, and a later system.
    """
    started = time.monotonic()
    failed = {route for route, _ in failures}
    for each in _remedies(task, failures):
        for route in routes(task.source, each.config):
            if each.config.conversion != task.config.conversion and route in failed:
                continue
            if time.monotonic() - started > _MOST_S:
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
        return  # neither a pass nor a target adds a converter
    passes = dict.fromkeys(failure.refused.optimisation_pass for _, failure in failures)
    for culprit in (each for each in passes if each not in {"", _NEEDED}):
        skipped = (*config.converter.skip_passes, culprit)
        written = ", ".join(f'"{name}"' for name in skipped)
        yield _Remedy(
            f"`converter = {{ skip-passes = [{written}] }}`",
            changed(config, converter=Converter(skip_passes=skipped)),
        )
    for target in DEPLOYMENT_TARGETS[DEPLOYMENT_TARGETS.index(config.deployment_target) + 1 :]:
        yield _Remedy(f'`deployment-target = "{target}"`', changed(config, deployment_target=target))


def _converts(task: Task, config: ModelConfig, route: Route) -> bool:
    """Whether the float32 package converts; half precision follows after every step that can fail."""
    changed_task = Task(task.source, task.samples, config, task.folder, task.outputs)
    try:
        with converter_errors(task.source.root), identity_shims():
            captured = capture(route, task.source, task.samples, config)
            to_core_ml(captured, changed_task, ct.precision.FLOAT32)
    except ConversionFailedError:
        return False
    return True
