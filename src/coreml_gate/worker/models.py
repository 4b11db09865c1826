"""Measures models in children, and turns whatever happens to a child into a ModelRecord."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from coreml_gate.children.events import NOTHING, AnyPart, Events, Parts
from coreml_gate.children.job import ModelJob
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.config.inherit import configured
from coreml_gate.errors import WorkerError
from coreml_gate.frozen import changed
from coreml_gate.interruption import Interrupted
from coreml_gate.measurements import measurement_at, of_models
from coreml_gate.measurements.measurement import problem_of_ending
from coreml_gate.record import ChildEnding, Diagnosis, ModelRecord, Problem
from coreml_gate.worker.supervisor import InterruptedChild, Supervisor

_ONLY_OF_MODELS: Final = ("outline", "rules", "predicted_placement")
"""Parts that a Record leaves out for variants, because they are not compared between them."""
_NOT_OF_VARIANTS: Final = frozenset({"perturbed-samples", "variants", "litert"})
"""Measurements that are not made of a variant with its own source."""
SIDE_BY_SIDE: Final = (
    "source",
    "conversion",
    "package",
    "numbers",
    "metrics",
    "parity-fault",
    "half-precision",
    "variants",
)
"""Measurements by which packages are compared; perturbed samples and LiteRT do not affect the choice."""


class InterruptedModel(Interrupted):
    """The gate was interrupted while a model was measured; has what was measured until then."""

    def __init__(self, exit_code: int, record: ModelRecord) -> None:
        super().__init__(exit_code)
        self.record = record


def measure_model(job: ModelJob, supervisor: Supervisor) -> ModelRecord:
    """Measure one model and the variants of its own source in one child.

    Raises :class:`InterruptedModel` when the gate is interrupted.
    """
    try:
        report = supervisor.run(job)
    except InterruptedChild as error:
        unfinished = _record(job, error.events, None, interrupted(job.model.name, error))
        raise InterruptedModel(error.exit_code, unfinished) from error
    ending, events = report.ending, report.events
    own = None if ending is None or events.variant else _meaning(ending, job)
    return changed(_record(job, events, ending, own), phases=report.phases)


def interrupted(name: str, error: Interrupted) -> Problem:
    """The problem of a model that was not fully measured."""
    message = f"model `{name}`: the run was interrupted ({error.by}) before it was measured in full."
    return Problem(kind="interrupted", message=message, hint="run it again.", exit_code=error.exit_code)


def _record(
    job: ModelJob, events: Events, ending: ChildEnding | None, what_stopped: AnyPart | None
) -> ModelRecord:
    parts = events.parts if what_stopped is None else _ended_with(events.parts, what_stopped)
    variants = tuple(_variant(config, job, events, ending) for config in job.variants)
    return ModelRecord.model_validate(
        {"name": job.model.name, "content": job.closure, **parts.contents(), "variants": variants}
    )


def _ended_with(parts: Parts, what_stopped: AnyPart) -> Parts:
    """The parts with what stopped the child; a diagnosis that was already handed over only gets a note."""
    known = parts.get(Diagnosis)
    if known is None or not isinstance(what_stopped, Diagnosis):
        return parts.having(what_stopped)
    return parts.having(changed(known, note=" ".join(filter(None, (known.note, what_stopped.note)))))


def measure_with_variants(
    job: ModelJob, variants: Sequence[ModelConfig], supervisor: Supervisor
) -> ModelRecord:
    """Measure a model and its variants: those of its own source in its child, each other in its own."""
    shared = tuple(variant for variant in variants if variant.source == job.model.source)
    record = measure_model(changed(job, variants=shared), supervisor)
    measured = {variant.name: variant for variant in record.variants}
    try:
        for variant in variants:
            if variant.name not in measured:
                measured[variant.name] = _measure_alone(variant, job, supervisor)
    except InterruptedModel as error:
        measured[error.record.name] = error.record
        known = tuple(measured[variant.name] for variant in variants if variant.name in measured)
        raise InterruptedModel(error.exit_code, changed(record, variants=known)) from error
    return changed(record, variants=tuple(measured[variant.name] for variant in variants))


def _measure_alone(variant: ModelConfig, job: ModelJob, supervisor: Supervisor) -> ModelRecord:
    only = tuple(name for name in job.only or of_models() if name not in _NOT_OF_VARIANTS)
    own = changed(job, model=variant, variants=(), variant_of=job.model.name, only=only)
    record = measure_model(own, supervisor)
    return changed(record, outline=(), rules=None, predicted_placement=None)


def _meaning(ending: ChildEnding, job: ModelJob) -> AnyPart:
    """What an ending means; nothing of a broken report can be trusted, at whatever step it broke."""
    measurement = measurement_at(ending.phase)
    if measurement is not None and ending.how == "failed":
        return problem_of_ending(ending, job, measurement.STEPS[ending.phase])
    return (
        problem_of_ending(ending, job, "starting") if measurement is None else measurement.ended(ending, job)
    )


def _variant(config: ModelConfig, job: ModelJob, events: Events, ending: ChildEnding | None) -> ModelRecord:
    """The Record of a variant; an early ending of the child belongs to the variant that it was at."""
    parts = events.variants.get(config.name, NOTHING)
    if config.name == events.variant and ending is not None:
        own = changed(job, model=config, variants=(), variant_of=job.model.name)
        parts = _ended_with(parts, _meaning(ending, own))
    elif config.name != events.variant and not parts.by_field:
        parts = Parts().having(_not_reached(job, events))
    contents = {name: value for name, value in parts.contents().items() if name not in _ONLY_OF_MODELS}
    return ModelRecord.model_validate({"name": config.name, **contents})


def _not_reached(job: ModelJob, events: Events) -> Problem:
    where = f"its variant `{events.variant}`" if events.variant else "the model itself"
    return Problem(
        kind="worker-error",
        message=f"model `{job.model.name}`: measuring stopped at {where}, before this variant.",
        hint="repair that first.",
        exit_code=WorkerError.exit_code,
    )


def measure_side_by_side(
    model: ModelConfig, options: GateOptions, root: Path, supervisor: Supervisor
) -> ModelRecord:
    """Measure the model and its variants from one run of the source, without a cache or a base."""
    with tempfile.TemporaryDirectory() as folder:
        job = ModelJob(
            only=SIDE_BY_SIDE,
            root=root,
            record_folder=Path(folder),
            model=changed(model, variant=()),
            closure="",
            max_samples=options.max_samples,
        )
        variants = tuple(configured(model, variant) for variant in model.variant)
        return measure_with_variants(job, variants, supervisor)
