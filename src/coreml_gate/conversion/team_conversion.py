"""The conversion of a team that makes its package itself: the package, and a float32 twin for it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Final, Literal

from coreml_gate.config import ModelConfig
from coreml_gate.config.inherit import OWN_CONVERSION
from coreml_gate.conversion.constants import found_weights, most_by_rounding, relative_difference
from coreml_gate.conversion.conversion import REFERENCE, Conversion, Task
from coreml_gate.conversion.failures import ConversionFailedError, in_one_line
from coreml_gate.conversion.team_package import TeamPackage, team_package
from coreml_gate.engines.engine import Outputs
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.mil.index import Index
from coreml_gate.mil.package import Package, read_package
from coreml_gate.mil.to_float32 import half_operations, widened
from coreml_gate.record import ConversionFacts, Route
from coreml_gate.torch_graph import GRAPH

Own = Callable[[ModelConfig, Path], Conversion]
_OWN_FOLDER: Final = "gate"
_SAME: Final = 0.05
"""The greatest difference, as a share of the greatest value, at which a widened package and the gate's twin
count as the same computation: FP16 weights cost 0.001, 8-bit weights about 0.01."""
_SAME_COMPRESSED: Final = 0.3
"""The same for a compressed package: 4-bit weights cost about 0.1. A greater difference fails parity, a
smaller one is judged as precision."""


def by_team(task: Task, own: Own, started: float, clock: Callable[[], float]) -> Conversion:
    """The team's own package, and a float32 twin; a failure is a value here too.

    :param own: The gate's conversion of the same source, which may serve as the twin.
    """
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
            hint=": ".join(filter(None, (failure.refused.cause, failure.hint))),
        )
        return Conversion(facts, None, None)

    twin = _float32_twin(made, task, own)
    facts = ConversionFacts(
        status="converted",
        route=twin.route,
        maker=maker,
        twin=twin.how,
        weights=found_weights(made.path, task.source, task.config.function),
        seconds=clock() - started,
        notes=(*task.source.notes, *twin.notes),
    )
    return Conversion(facts, twin.path, made.path, graph=twin.graph)


@dataclass(frozen=True)
class _Twin:
    """The twin's path, how it was made, and what did not work before."""

    path: Path
    how: Literal["called-again", "gate", "widened", "package"]
    notes: tuple[str, ...] = ()
    graph: Path | None = None
    route: Literal[Route, "none"] = "none"
    """The route of the gate's conversion, along which a fault of this twin is located."""


def _float32_twin(made: TeamPackage, task: Task, convert: Own) -> _Twin:
    """The first available twin: the package itself, the callable's, the gate's, or the widened package.

    ``convert`` is the gate's conversion into a folder. Its package represents the team's only if both compute
    the same for the first sample; otherwise a fault of the team's conversion would look like one of half
    precision.
    """
    shipped = read_package(made.path).choosing(task.config.function)
    if not half_operations(shipped):
        return _Twin(made.path, "package")
    notes: list[str] = []
    if made.convert is not None:
        try:
            return _Twin(_of_the_same_form(made.convert(), shipped, task.config.function), "called-again")
        except GateError as error:
            notes.append(f"`{made.maker}` with `compute_precision`: {error.message}")
    own = _gates(shipped, task, convert)
    if isinstance(own, str):
        return _Twin(made.path, "widened", (*notes, own))
    return replace(own, notes=tuple(notes))


def _of_the_same_form(path: Path, shipped: Package, function: str | None) -> Path:
    """The path, if the package there has the same inputs and outputs."""
    twin = read_package(path).choosing(function)
    if _form(twin) != _form(shipped):
        raise GateError("its package has other inputs or outputs.", "")
    if _is_compressed(twin):
        raise GateError("its package is compressed too, so it is not a float32 twin.", "")
    return path


def _is_compressed(package: Package) -> bool:
    """Whether weights are stored compressed; half precision alone does not count."""
    packed = Index(package.function()).packed
    return any(operation.type != "constexpr_cast" for operation in packed)


def _form(package: Package) -> list[str]:
    return [feature.name for feature in (*package.interface.inputs, *package.interface.outputs)]


def _gates(shipped: Package, task: Task, convert: Own) -> _Twin | str:
    """The gate's own twin, or why it cannot represent the team's package."""
    plain = {name: ModelConfig.model_fields[name].default for name in OWN_CONVERSION}
    folder = task.folder / _OWN_FOLDER
    done = convert(changed(task.config, precision="float32", function=None, **plain), folder)
    if done.reference is None:
        reason = in_one_line(ConversionFailedError(done.facts.message))
        return f"the gate's own conversion of the source failed: {reason}"
    own = read_package(done.reference)
    problem = _difference(own, shipped, task)
    if problem:
        shutil.rmtree(folder)
        return problem
    path, graph = task.folder / REFERENCE, task.folder / GRAPH
    shutil.rmtree(path, ignore_errors=True)
    shutil.move(done.reference, path)
    shutil.move(folder / GRAPH, graph)
    shutil.rmtree(folder)
    return _Twin(path, "gate", graph=graph, route=done.facts.route)


def _difference(own: Package, shipped: Package, task: Task) -> str:
    """Why the gate's package differs from the team's in float32; empty if it does not."""
    here, there = len(own.interface.inputs), len(shipped.interface.inputs)
    if here != there:
        return f"the gate's own conversion has another number of inputs than the package: {here}, not {there}"
    try:
        left, right = (_answers(package, task) for package in (own, widened(shipped)))
    except GateError as error:
        return f"the gate's own conversion cannot be compared with the package: {error.message}"
    worst = max(relative_difference(left[name], right[name]) for name in left)
    if worst <= _most(shipped, task):
        return ""
    by = f"by {worst:.1%} of the greatest value" if isfinite(worst) else "in shape, or in what is not finite,"
    return (
        "the gate's own conversion of the source computes something else than the package: "
        f"they differ {by} in sample 0"
    )


def _most(shipped: Package, task: Task) -> float:
    """How far two packages of the same computation may differ."""
    if _is_compressed(shipped):
        return _SAME_COMPRESSED
    return min(_SAME, most_by_rounding(task.source, task.samples.samples[0], task.outputs))


def _answers(package: Package, task: Task) -> Outputs:
    names = task.config.output or tuple(task.outputs)
    return load_mil_engine(package, "fp32", names, task.config).run(task.samples.samples[0])
