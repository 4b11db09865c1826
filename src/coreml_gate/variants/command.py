"""``coreml-gate variants MODEL`` and ``coreml-gate compress MODEL``."""

import argparse

from coreml_gate.arguments import add_json, add_model
from coreml_gate.children.process import Hooks
from coreml_gate.config import Config, ModelConfig, ModelVariant
from coreml_gate.config.load import load_model
from coreml_gate.errors import MeasuringError, UsageError
from coreml_gate.frozen import changed
from coreml_gate.gate.environment import environment_of_this_machine
from coreml_gate.gate.ranking import rank
from coreml_gate.record import ModelRecord
from coreml_gate.report.terminal import print_ranking
from coreml_gate.surroundings import Surroundings
from coreml_gate.variants.search import as_text, search
from coreml_gate.variants.settings import parse_setting, settings_for
from coreml_gate.worker.models import measure_side_by_side
from coreml_gate.worker.supervisor import Supervisor, limits_of

_NO_VARIANTS = """\
add some to the model in the configuration, such as

[[model.variant]]
name = "int8"
compress = { method = "linear-int8" }

or let `coreml-gate compress` try compression settings."""


def describe_variants(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``variants``."""
    _add_model(parser)
    parser.set_defaults(command=run_variants)


def describe_compress(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``compress``."""
    _add_model(parser)
    parser.add_argument(
        "--settings",
        metavar="LIST",
        help="settings to try, such as palettize-4,linear-int8,prune-50; default: all that the target allows",
    )
    parser.set_defaults(command=run_compress)


def _add_model(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_json(parser)


def run_variants(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the model's packages side by side; 1 if none of them is eligible."""
    config, model = load_model(around.folder, parsed.config, parsed.model)
    if not model.variant:
        raise UsageError(f"model `{model.name}` has no variants.", _NO_VARIANTS)
    measured = _measured(config, model, around)
    ranking = rank(model, measured, environment_of_this_machine())
    if ranking is None:  # the model has variants, and each of them has a record
        raise AssertionError("no record of a variant")
    if parsed.json:
        around.out.print(ranking.model_dump_json(indent=1))
    else:
        print_ranking(model.name, ranking, around.out)
    return 0 if any(each.eligible == "yes" for each in ranking.candidates) else 1


def run_compress(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Try every setting on the uncompressed package; 1 if no smaller one passes."""
    config, model = load_model(around.folder, parsed.config, parsed.model)
    names = (
        settings_for(model) if parsed.settings is None else tuple(filter(None, parsed.settings.split(",")))
    )
    variants = tuple(ModelVariant(name=name, compress=parse_setting(name)) for name in dict.fromkeys(names))
    if not variants:
        raise UsageError("`--settings` names no setting.", "leave it out to try all of them.")
    plain = changed(model, compress=None, variant=variants)
    found = search(plain, _measured(config, plain, around), environment_of_this_machine())
    text = found.model_dump_json(indent=1) if parsed.json else as_text(found)
    around.out.print(text, end="" if text.endswith("\n") else "\n")
    return 0 if found.best else 1


def _measured(config: Config, model: ModelConfig, around: Surroundings) -> ModelRecord:
    """The measured model; its problem is raised, while a variant's is shown in the table."""
    supervisor = Supervisor(
        around.environment,
        limits_of(config.gate),
        hooks=Hooks(step=lambda step: around.err.print(f"{model.name}: {step}")),
        start=around.start,
    )
    measured = measure_side_by_side(model, config.gate, around.folder, supervisor)
    if measured.problem is not None:
        raise MeasuringError(measured.problem.message, measured.problem.hint, measured.problem.exit_code)
    return measured
