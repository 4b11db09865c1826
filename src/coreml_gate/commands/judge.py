"""``coreml-gate judge``: judges stored Records without running anything, to try limits in a second."""

import argparse
from pathlib import Path

from coreml_gate.arguments import add_json, add_output, add_selection
from coreml_gate.commands.reports import answer, reported, write_reports
from coreml_gate.config.load import load_config, select_models
from coreml_gate.frozen import without_collecting
from coreml_gate.gate.baseline import NO_BASELINE, stored_baseline
from coreml_gate.gate.judge import judge
from coreml_gate.record import read_record
from coreml_gate.surroundings import Surroundings


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_selection(parser)
    parser.add_argument("record", type=Path, help="a Record, or the folder with its record.json")
    parser.add_argument("--baseline", type=Path, metavar="PATH", help="the Record to compare with")
    add_output(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Judge stored Records."""
    with without_collecting():
        return _judge(parsed, around)


def _judge(parsed: argparse.Namespace, around: Surroundings) -> int:
    with reported(around.folder / parsed.output):
        config = select_models(load_config(around.folder, parsed.config), parsed.model)
        head = read_record(around.folder / parsed.record)
        given = parsed.baseline
        baseline = NO_BASELINE if given is None else stored_baseline(around.folder / given)
        verdict = judge(config, head, baseline.record, baseline.facts)
    write_reports(verdict, around.folder / parsed.output, head, baseline.record)
    return answer(verdict, around.folder / parsed.output, around, as_json=parsed.json)
