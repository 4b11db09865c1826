"""Compares source and package on changed samples if the original samples show no difference."""

from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.measurements import package
from coreml_gate.record import PerturbedSample, WrappedPart

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench


class PerturbedSamples(WrappedPart[tuple[PerturbedSample, ...]]):
    """Source against the float32 package on changed samples."""

    FIELD = "adversarial"


class UntriedSamples(WrappedPart[tuple[str, ...]]):
    """Changed samples on which the source did not finish."""

    FIELD = "untried"


class UntriedChanges(WrappedPart[tuple[str, ...]]):
    """Changes that a run of this model costs too much for."""

    FIELD = "untried_changes"


PARTS: Final = (PerturbedSamples, UntriedSamples, UntriedChanges)
STEPS: Final = package.STEPS
CHILD: Final = "model"
ended = package.ended


def wanted(job: ModelJob) -> bool:
    """Whether `adversarial` is on."""
    return job.model.adversarial


def run(bench: "Bench", log: EventLog) -> None:
    """Compare source and float32 package on every changed sample for which the source is stable."""
    found = [perturbed for perturbed, _ in bench.perturbed or ()]
    if bench.perturbed is not None:
        log.put(PerturbedSamples(tuple(each for each in found if each.comparisons)))
        if bench.changes_budget.untried:
            log.put(UntriedChanges(tuple(bench.changes_budget.untried)))
    untried = tuple(each.name for each in found if not each.comparisons)
    if untried:
        log.put(UntriedSamples(untried))
