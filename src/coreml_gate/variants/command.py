"""``coreml-gate variants MODEL`` and ``coreml-gate compress MODEL``."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from coreml_gate.children.process import Hooks
from coreml_gate.config import Config, ModelConfig, ModelVariant
from coreml_gate.config.load import load_config, select_models
from coreml_gate.errors import MeasuringError, UsageError
from coreml_gate.frozen import changed
from coreml_gate.gate.environment import environment_of_this_machine
from coreml_gate.gate.ranking import rank
from coreml_gate.record import ModelRecord
from coreml_gate.report.terminal import print_ranking
from coreml_gate.surroundings import Surroundings
from coreml_gate.variants.search import Search, Tried, search
from coreml_gate.variants.settings import parse_setting, settings_for
from coreml_gate.wording import megabytes, number
from coreml_gate.worker.models import measure_side_by_side
from coreml_gate.worker.supervisor import Supervisor, limits_of

_NO_VARIANTS = """\
add some to the model in the configuration, such as

[[model.variant]]
name = "int8"
compress = { method = "linear-int8" }

or let `coreml-gate compress` try compression settings."""
_NOTHING = "-"


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
        help="such as palettize-4,linear-int8,prune-50; default: all that the target allows",
    )
    parser.set_defaults(command=run_compress)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="the model's name in the configuration")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: coreml-gate.toml")


def run_variants(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the model's packages side by side; 1 if none of them is eligible."""
    config, model = _chosen(parsed, around)
    if not model.variant:
        raise UsageError(f"model `{model.name}` has no variants.", _NO_VARIANTS)
    measured = _measured(config, model, around)
    ranking = rank(model, measured, environment_of_this_machine())
    if ranking is None:  # the model has variants, and each of them has a record
        raise AssertionError("no record of a variant")
    if parsed.json:
        around.out.print(ranking.model_dump_json(indent=1), markup=False, highlight=False, soft_wrap=True)
    else:
        print_ranking(model.name, ranking, around.out)
    return 0 if any(each.eligible == "yes" for each in ranking.candidates) else 1


def run_compress(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Try every setting on the uncompressed package; 1 if no smaller one passes."""
    config, model = _chosen(parsed, around)
    names = (
        settings_for(model) if parsed.settings is None else tuple(filter(None, parsed.settings.split(",")))
    )
    variants = tuple(ModelVariant(name=name, compress=parse_setting(name)) for name in dict.fromkeys(names))
    if not variants:
        raise UsageError("`--settings` names no setting.", "leave it out to try all of them.")
    plain = changed(model, compress=None, variant=variants)
    found = search(plain, _measured(config, plain, around), environment_of_this_machine())
    text = found.model_dump_json(indent=1) if parsed.json else as_text(found)
    around.out.print(
        text, markup=False, highlight=False, soft_wrap=True, end="" if text.endswith("\n") else "\n"
    )
    return 0 if found.best else 1


def _chosen(parsed: argparse.Namespace, around: Surroundings) -> tuple[Config, ModelConfig]:
    config = select_models(load_config(around.folder, parsed.config), [parsed.model])
    (model,) = config.model
    return config, model


def _measured(config: Config, model: ModelConfig, around: Surroundings) -> ModelRecord:
    """The measured model; its problem is raised, while a variant's is shown in the table."""
    supervisor = Supervisor(
        around.environment,
        limits_of(config.gate),
        hooks=Hooks(step=lambda step: _say(around, f"{model.name}: {step}")),
        start=around.start,
    )
    measured = measure_side_by_side(model, config.gate, around.folder, supervisor)
    if measured.problem is not None:
        raise MeasuringError(measured.problem.message, measured.problem.hint, measured.problem.exit_code)
    return measured


def _say(around: Surroundings, line: str) -> None:
    around.err.print(line, markup=False, highlight=False)


def as_text(search: Search) -> str:
    """One line per setting, the largest package first."""
    return "\n".join((*_table(search), "", *_answer(search))) + "\n"


def _table(search: Search) -> Iterator[str]:
    rows = [_titles(search), _row(search.uncompressed, "(uncompressed)")]
    rows += [_row(tried, tried.setting) for tried in search.tried]
    if not search.metric:
        rows = [(*row[:3], *row[4:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *figures = (*row[:-1],)
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(figures, widths[1:-1], strict=True)),
        ]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _titles(search: Search) -> tuple[str, ...]:
    return ("setting", "size", "bits", search.metric, "PSNR", "worst layer", "left out", "passes")


def _row(tried: Tried, name: str) -> tuple[str, ...]:
    return (
        name,
        _NOTHING if tried.size_bytes is None else megabytes(tried.size_bytes),
        _NOTHING if tried.bits is None else number(tried.bits),
        _NOTHING if tried.metric is None else number(tried.metric, 4),
        _decibels(tried.psnr),
        _decibels(tried.worst_sqnr),
        str(tried.left_out) if tried.bits is not None else _NOTHING,
        "yes" if tried.passes else "no",
    )


def _decibels(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f} dB"


def _answer(search: Search) -> Iterator[str]:
    by = (
        f"the limit of `{search.metric}`"
        if search.metric
        else "parity and precision, as no metric has a limit"
    )
    yield f"Judged by {by}; every setting was measured."
    if search.not_monotone:
        yield search.not_monotone
    yield from _refusals(search.tried)
    if not search.best:
        yield "No setting passes that makes the package smaller."
        return
    best = next(tried for tried in search.tried if tried.setting == search.best)
    before, after = search.uncompressed.size_bytes or 0, best.size_bytes or 0
    yield (
        f"The smallest that passes is `{best.setting}`: {megabytes(after)} instead of {megabytes(before)}. "
        f"Write for `{search.model}`:"
    )
    yield ""
    yield f"    {best.line}"
    if search.caution:
        yield ""
        yield f"Its precision fails its own limit all the same: {search.caution}"
    if search.caution and search.allow:
        yield "Where the metric decides, write under [model.limits] as well:"
        yield ""
        yield f"    {search.allow}"


def _refusals(tried: Sequence[Tried]) -> Iterator[str]:
    """Why settings could not be made; those that lost too much of the metric are in the table."""
    yield from (f"{each.setting}: {each.reason}" for each in tried if each.size_bytes is None)
