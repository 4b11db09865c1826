"""Measures the variants of a source: other packages, with the source's samples and outputs."""

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
"""Empty: a variant goes through the steps of its own measurements."""
CHILD: Final = "model"
OF_VARIANTS: Final[Mapping[str, Measurement]] = {
    "conversion": conversion,
    "package": package,
    "numbers": numbers,
    "perturbed-samples": perturbed_samples,
    "metrics": metrics,
}
"""The measurements of a variant, which decide whether it could be the package to ship."""


def wanted(job: ModelJob) -> bool:
    """Whether the model has variants."""
    return bool(job.variants)


def run(bench: "Bench", log: EventLog) -> None:
    """Measure one variant after another; a failure of one does not affect the others."""
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
    """The same as for a model, because a variant's steps are those of its measurements."""
    return problem_of_ending(ending, job, "measuring its variants")
