"""Computes the user's own metric with each engine."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.measurements.measurement import problem_of_ending
from coreml_gate.record import ChildEnding, MetricValue, Problem, WrappedPart

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench


class Metrics(WrappedPart[tuple[MetricValue, ...]]):
    """The user's own metrics, by engine."""

    FIELD = "metrics"


PARTS: Final = (Metrics,)
STEPS: Final[Mapping[str, str]] = {"evaluate": "running `evaluate`"}
CHILD: Final = "model"


def wanted(job: ModelJob) -> bool:
    """Whether the configuration names `evaluate`."""
    return job.model.evaluate is not None


def run(bench: "Bench", log: EventLog) -> None:
    """Call the user's function once per engine."""
    if bench.engines:
        log.begin("evaluate")
        log.put(Metrics(bench.metrics))


def ended(ending: ChildEnding, job: ModelJob) -> Problem:
    """The problem that a required metric is lost."""
    return problem_of_ending(ending, job, STEPS["evaluate"])
