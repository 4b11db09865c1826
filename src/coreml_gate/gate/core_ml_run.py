"""The part of a run that needs Core ML: on a Mac, or with the stand-in."""

from collections.abc import Mapping
from pathlib import Path

from coreml_gate.children.process import ProcessLimits
from coreml_gate.config import Config, GateOptions, ModelConfig
from coreml_gate.config.inherit import configured
from coreml_gate.frozen import changed
from coreml_gate.gate.baseline import Baseline
from coreml_gate.gate.collect import RunContext
from coreml_gate.gate.core_ml import Question, Session, Stored, answered, measure_with_core_ml
from coreml_gate.gate.core_ml_host import CoreMlHost
from coreml_gate.gate.request import Request
from coreml_gate.record import RECORD_NAME, ModelRecord, PackageFacts, Record, write_record
from coreml_gate.timing import ALPHA
from coreml_gate.worker.supervisor import Supervisor


def with_core_ml(
    request: Request, config: Config, head: Record, baseline: Baseline, context: RunContext
) -> Record:
    """Add Core ML's results to the head's Record; without Core ML, return it unchanged.

    Packages are timed only against base packages that are on this machine.
    """
    if context.answering is None:
        return head
    base = None
    if baseline.record is not None and baseline.folder is not None:
        base = Stored(baseline.record, baseline.folder)
    options, memory_mb = config.gate, config.gate.step_memory_mb
    supervisor = Supervisor(
        context.environment,
        ProcessLimits(options.core_ml_timeout_s, None if memory_mb is None else memory_mb * 1e6),
        stand_in=context.answering == "stand-in",
        start=context.start,
    )
    host = CoreMlHost.here(context.answering, supervisor, context.progress)
    models = {model.name: model for model in config.model}
    measured = measure_with_core_ml(Stored(head, request.output), base, models, options, host)
    return measure_variants(Stored(measured, request.output), models, options, host)


def measure_variants(
    head: Stored, models: Mapping[str, ModelConfig], options: GateOptions, host: CoreMlHost
) -> Record:
    """Add Core ML's results for every variant in the configuration."""
    session = Session(options, host, ALPHA)
    measured = tuple(
        _model(model, models[model.name], head.folder, session) if model.name in models else model
        for model in head.record.models
    )
    record = changed(head.record, models=measured)
    write_record(record, head.folder / RECORD_NAME)
    return record


def _model(model: ModelRecord, config: ModelConfig, folder: Path, session: Session) -> ModelRecord:
    known = {variant.name: configured(config, variant) for variant in config.variant}
    variants: list[ModelRecord] = []
    for variant in model.variants:
        own = known.get(variant.name)
        question = None if own is None else _question(own, variant, model.package, folder)
        variants.append(variant if question is None else answered(variant, question, session))
    return changed(model, variants=tuple(variants))


def _question(
    config: ModelConfig, variant: ModelRecord, ships: PackageFacts | None, folder: Path
) -> Question | None:
    """A variant is compared with the package that ships."""
    if variant.package is None or ships is None:
        return None
    return Question.of(config, variant, (variant.package, folder), (ships, folder))
