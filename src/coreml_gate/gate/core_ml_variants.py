"""What Core ML makes of a model's variants: each is predicted, and timed against the package that ships."""

from collections.abc import Mapping
from pathlib import Path

from coreml_gate.children.job import PackageAsked
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.config.inherit import configured
from coreml_gate.frozen import changed
from coreml_gate.gate.core_ml import Question, Session, Stored, answered
from coreml_gate.gate.core_ml_host import CoreMlHost
from coreml_gate.record import RECORD_NAME, ModelRecord, PackageFacts, Record, write_record
from coreml_gate.timing import ALPHA


def ask_about_variants(
    head: Stored, models: Mapping[str, ModelConfig], options: GateOptions, host: CoreMlHost
) -> Record:
    """The Record with Core ML's answers of every variant that the configuration names."""
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
        answerable = question is not None and question.reference.exists()
        variants.append(answered(variant, question, session) if question and answerable else variant)
    return changed(model, variants=tuple(variants))


def _question(
    config: ModelConfig, variant: ModelRecord, ships: PackageFacts | None, folder: Path
) -> Question | None:
    package = variant.package
    if package is None or ships is None:
        return None
    names = tuple(dict.fromkeys(each.output for each in variant.precision))
    return Question(
        config=config,
        facts=package,
        head=PackageAsked.of(package, folder, names),
        base_facts=ships,
        base=PackageAsked.of(ships, folder),
        folder=(folder / package.path).resolve().parent,
    )
