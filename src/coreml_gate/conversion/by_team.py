"""The package that the team makes itself is judged: it, its float32 twin, and how both came about."""

from collections.abc import Callable
from pathlib import Path

from coreml_gate.config import ModelConfig
from coreml_gate.conversion.conversion import Conversion, Task
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.team import team_package
from coreml_gate.conversion.twin import float32_twin
from coreml_gate.conversion.weights import found_weights
from coreml_gate.record import ConversionFacts

Own = Callable[[ModelConfig, Path], Conversion]


def by_team(task: Task, own: Own, started: float, clock: Callable[[], float]) -> Conversion:
    """The team's own package, and a float32 twin; a failure is a value here as well.

    :param own: The gate's own conversion of the same source, which may serve as the twin.
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
            hint=failure.hint,
        )
        return Conversion(facts, None, None)

    twin = float32_twin(made, task, own)
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
