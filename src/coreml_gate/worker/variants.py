"""The variants of a source that was run already: other packages, with the same samples and answers."""

from dataclasses import dataclass, field

from coreml_gate.config import ModelConfig
from coreml_gate.convert import Conversion
from coreml_gate.convert.key import CONVERSION_OPTIONS
from coreml_gate.convert.pipeline import compress_package
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.record import MetricValue
from coreml_gate.worker.events import EventLog
from coreml_gate.worker.job import Job
from coreml_gate.worker.steps import (
    Outcome,
    converted,
    evaluate_engines,
    measure_package,
    problem_of,
    twins_of,
)

UNCOMPRESSED = "uncompressed"


def measure_variants(job: Job, outcome: Outcome, log: EventLog) -> None:
    """Measure one variant after another; what goes wrong with one is its own problem."""
    packages = Packages.beside(outcome, job)
    for config in job.variants:
        own_log = log.of(config.name)
        own_log.begin("convert")
        try:
            _measure(config, outcome, packages, job, own_log)
        except GateError as error:
            own_log.update(problem=problem_of(error))


def _measure(config: ModelConfig, outcome: Outcome, packages: "Packages", job: Job, log: EventLog) -> None:
    expected = outcome.expected
    own = changed(job, model=config, variants=(), variant_of=job.model.name)
    own.folder.mkdir(parents=True, exist_ok=True)
    given = expected.source.path is not None
    twins = outcome.twins if given else twins_of(packages.of(config, own), own, log)
    if twins is None:
        return
    log.begin("measure")
    answers = measure_package(expected, twins, own, log)
    shipped = tuple(engine for engine in answers.engines if engine.side == "fp16")
    evaluate_engines(shipped, expected, own, log, known=_of_source(outcome.metrics))


def _of_source(metrics: tuple[MetricValue, ...]) -> tuple[MetricValue, ...]:
    return tuple(metric for metric in metrics if metric.side == "source")


@dataclass(frozen=True)
class Packages:
    """Converts each set of options once: packages that differ in compression alone share a conversion."""

    outcome: Outcome
    made: dict[str, Conversion] = field(default_factory=dict)

    @classmethod
    def beside(cls, outcome: Outcome, job: Job) -> "Packages":
        """With the model's own package to begin with, if that is not compressed itself."""
        own = None if outcome.twins is None else outcome.twins.conversion
        known = own is not None and job.model.compress is None
        return cls(outcome, {_options(job.model): own} if known and own is not None else {})

    def of(self, config: ModelConfig, job: Job) -> Conversion:
        """The packages of a variant; its own folder takes what belongs to it alone."""
        plain = self._uncompressed(config, job)
        return plain if config.compress is None else compress_package(plain, config.compress, job.folder)

    def _uncompressed(self, config: ModelConfig, job: Job) -> Conversion:
        key = _options(config)
        if key not in self.made:
            plain = changed(config, compress=None)
            folder = job.folder.parent / f"{UNCOMPRESSED}-{len(self.made)}" if config.compress else job.folder
            self.made[key] = converted(self.outcome.expected, plain, folder, job)
        return self.made[key]


def _options(config: ModelConfig) -> str:
    return config.model_dump_json(include=set(CONVERSION_OPTIONS) - {"compress"})
