"""``coreml-gate collect``: measures and writes the Record, without judging it."""

import argparse
from pathlib import Path

from coreml_gate.arguments import add_core_ml, add_json, add_output, add_selection
from coreml_gate.commands.arguments import add_base, add_known, request_of
from coreml_gate.commands.context import run_context
from coreml_gate.config.load import load_config, select_models
from coreml_gate.gate.baseline import NO_BASELINE
from coreml_gate.gate.core_ml_run import with_core_ml
from coreml_gate.gate.plan import make_plan
from coreml_gate.gate.request import open_repository
from coreml_gate.gate.run import collect_head
from coreml_gate.record import RECORD_NAME, Record
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import counted
from coreml_gate.writing import output_folder


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_selection(parser)
    add_base(parser)
    add_known(parser)
    add_output(parser)
    add_core_ml(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Measure and write the Record; the exit code says only whether measuring worked."""
    request = request_of(parsed, around)
    config = select_models(load_config(request.root, request.config_file), request.models)
    repository = open_repository(request, around.environment)
    chosen = make_plan(request, config, repository)
    with output_folder(request.output):
        context = run_context(request, parsed, around)
        record = collect_head(request, config, chosen, repository, context)
        record = with_core_ml(request, config, record, NO_BASELINE, context)
    _print(record, request.output / RECORD_NAME, parsed, around)
    problems = (model.problem for model in record.models)
    return next((problem.exit_code for problem in problems if problem is not None), 0)


def _print(record: Record, path: Path, parsed: argparse.Namespace, around: Surroundings) -> None:
    if parsed.json:
        problems = {model.name: model.problem.message if model.problem else None for model in record.models}
        around.print_json({"record": str(path), "problems": problems})
    else:
        words = f"{counted(len(record.models), 'model')} in {path}"
        around.out.print(words)
