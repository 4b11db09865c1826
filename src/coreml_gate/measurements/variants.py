"""The variants of a source that ran already: other packages, with the same samples and outputs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import AnyPart, EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.measurements import conversion, metrics, numbers, package, perturbed_samples
from coreml_gate.measurements.measurement import Measurement, chosen, problem_of, problem_of_ending
from coreml_gate.record import ChildEnding, Problem

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench

PARTS: Final[tuple[type[AnyPart], ...]] = (Problem,)
STEPS: Final[Mapping[str, str]] = {}
"""A variant goes through the steps of its own measurements."""
CHILD: Final = "model"
OF_VARIANTS: Final[Mapping[str, Measurement]] = {
    "conversion": conversion,
    "package": package,
    "numbers": numbers,
    "perturbed-samples": perturbed_samples,
    "metrics": metrics,
}
"""What is measured of a variant: what could make it the package to ship."""


def wanted(job: ModelJob) -> bool:
    """Whether there are any."""
    return bool(job.variants)


def run(bench: "Bench", log: EventLog) -> None:
    """Measure one variant after another; what goes wrong with one is its own problem."""
    from coreml_gate.measurements.bench import Bench

    for config in bench.job.variants:
        own = changed(bench.job, model=config, variants=(), variant_of=bench.job.model.name)
        own.folder.mkdir(parents=True, exist_ok=True)
        own_log = log.of(config.name)
        own_bench = Bench(own, beside=bench, advance=own_log.advance)
        own_log.begin("convert")
        try:
            for measurement in chosen(OF_VARIANTS, own):
                measurement.run(own_bench, own_log)
        except GateError as error:
            own_log.put(problem_of(error))


def ended(ending: ChildEnding, job: ModelJob) -> AnyPart:
    """As of a model: a variant's own steps are those of its measurements."""
    return problem_of_ending(ending, job, "measuring its variants")
