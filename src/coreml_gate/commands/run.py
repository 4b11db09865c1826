"""``coreml-gate run``: runs the whole gate, from two commits to one verdict."""

import argparse
from pathlib import Path

from coreml_gate.arguments import add_core_ml, add_json, add_output, add_selection
from coreml_gate.commands.arguments import add_base, request_of
from coreml_gate.commands.context import run_context
from coreml_gate.commands.reports import answer, base_record, reported, write_reports
from coreml_gate.gate.request import BASE_FOLDER
from coreml_gate.gate.run import run_gate
from coreml_gate.gate.stopped import InterruptedRun
from coreml_gate.surroundings import Surroundings


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_selection(parser)
    add_base(parser)
    add_output(parser)
    add_json(parser)
    add_core_ml(parser)
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help="a Record, or its folder, to compare with instead of a rebuild",
    )
    parser.add_argument(
        "--rebuild",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether a base without a --baseline is measured here",
    )
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Run the whole gate."""
    request = request_of(parsed, around)
    try:
        with reported(request.output):
            verdict = run_gate(request, run_context(request, parsed, around))
    except InterruptedRun as stopped:
        verdict = stopped.verdict
    places = [request.output / BASE_FOLDER, *([] if request.baseline is None else [request.baseline])]
    write_reports(verdict, request.output, base=base_record(verdict, *places))
    return answer(verdict, request.output, around, as_json=parsed.json)
