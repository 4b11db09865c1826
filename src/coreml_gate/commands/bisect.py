"""``coreml-gate bisect MODEL METRIC``: finds the commit that changed a metric in stored Records."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from coreml_gate.arguments import add_config, add_core_ml, add_json, add_output, finite_number
from coreml_gate.commands.arguments import request_of
from coreml_gate.commands.context import run_context
from coreml_gate.commands.history import add_history, history_of
from coreml_gate.errors import GateError, UsageError
from coreml_gate.gate.base import COMMITS_FOLDER, collect_at
from coreml_gate.gate.git import Repository
from coreml_gate.history import Series, all_series
from coreml_gate.history.bisect import Culprit, Measure, bisect
from coreml_gate.history.measured import EVALUATE, figures_of
from coreml_gate.record import RECORD_NAME
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import counted, listed, short


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="MODEL", help="the model's name in the configuration")
    parser.add_argument(
        "metric", metavar="METRIC", help="size, memory, compute, parity, fp16-psnr, or a metric of your own"
    )
    add_history(parser)
    parser.add_argument(
        "--good", metavar="COMMIT", help="a commit before the change; default: the oldest of the history"
    )
    parser.add_argument(
        "--bad", metavar="COMMIT", help="a commit after the change; default: the newest of the history"
    )
    parser.add_argument(
        "--limit", type=finite_number, metavar="X", help="the value between good and bad; default: halfway"
    )
    parser.add_argument(
        "--measure", action="store_true", help="measure commits of the branch that have no Record yet"
    )
    add_config(parser)
    add_output(parser)
    add_core_ml(parser)
    add_json(parser)
    parser.set_defaults(command=run, model=[], base=None, allow_dirty=False)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Find the commit; 0 if it was found, 1 if unmeasured commits remain that may be the one."""
    parsed.model = [parsed.name]
    kept = (around.folder / parsed.output / COMMITS_FOLDER).glob(f"*/{RECORD_NAME}")
    parsed.add = [*parsed.add, *sorted(kept)]
    series = _series(parsed, around)
    commits, measure = _commits(series, parsed, around)
    values = {point.commit: point.value for point in series.points}
    found = bisect(commits, values, parsed.limit, measure)
    if parsed.json:
        around.print_json(asdict(found))
    else:
        around.out.print(_sentence(found, series))
    return 0 if found.is_found else 1


def _series(parsed: argparse.Namespace, around: Surroundings) -> Series:
    known = [each for each in all_series(history_of(parsed, around)) if each.model == parsed.name]
    wanted = (parsed.metric, f"{EVALUATE}{parsed.metric}")
    found = next((each for each in known if each.metric in wanted), None)
    if found is None:
        names = listed(each.metric.removeprefix(EVALUATE) for each in known)
        raise UsageError(
            f"the history holds no metric `{parsed.metric}` of model `{parsed.name}`.",
            f"name one of {names}." if known else "`coreml-gate history` lists the models that it holds.",
        )
    return found


def _commits(
    series: Series, parsed: argparse.Namespace, around: Surroundings
) -> tuple[Sequence[str], Measure | None]:
    """The commits of the branch between the two ends, or those of the history if git does not know them."""
    ends = [parsed.good or series.points[0].commit, parsed.bad or series.points[-1].commit]
    try:
        repository = Repository.open(around.folder, around.environment)
        commits = repository.line(*ends)
    except GateError:
        if parsed.measure or parsed.good or parsed.bad:
            raise
        return [point.commit for point in series.points], None
    if not parsed.measure:
        return commits, None
    request = request_of(parsed, around)
    context = run_context(request, parsed, around)

    def measure(commit: str) -> float | None:
        try:
            model = collect_at(commit, request, repository, context).model(parsed.name)
        except GateError:
            return None
        return None if model is None else figures_of(model).get(series.metric)

    return commits, measure


def _sentence(found: Culprit, series: Series) -> str:
    show = series.figure.show
    levels = f"{series.figure.title} of {series.model}: {show(found.before)} to {show(found.after)}"
    if found.is_found:
        return f"{found.bad} changed it. {levels}."
    unknown = counted(len(found.between), "commit")
    return (
        f"{short(found.bad)}, or one of the {unknown} before it without a Record, changed it: "
        f"{short(found.good)} is still good. {levels}.\n"
        "Add --measure to measure them, the middle one first."
    )
