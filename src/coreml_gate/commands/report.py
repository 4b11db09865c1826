"""``coreml-gate report``: renders a stored report in another format."""

import argparse
from pathlib import Path

from coreml_gate.arguments import add_format
from coreml_gate.commands.reports import base_record, record_at
from coreml_gate.gate.request import BASE_FOLDER
from coreml_gate.record import read_record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.document import read_report
from coreml_gate.surroundings import Surroundings
from coreml_gate.writing import write_text


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("report", type=Path, help="a report.json from `run` or `judge`")
    add_format(parser, FORMATS, "terminal")
    parser.add_argument("--key", default="default", help="distinguishes the comments of several gates")
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="html: what was measured (default: record.json beside the report, where there is one)",
    )
    parser.add_argument(
        "--base-record",
        type=Path,
        metavar="FILE",
        help="html: what was measured of the base (default: base/record.json beside the report)",
    )
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="write to this file instead of standard output"
    )
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Render a stored report; the exit code does not depend on its verdict."""
    path = around.folder / parsed.report
    verdict = read_report(path)
    measured = record_at(path.parent) if parsed.record is None else read_record(around.folder / parsed.record)
    places = (
        [path.parent / BASE_FOLDER] if parsed.base_record is None else [around.folder / parsed.base_record]
    )
    base = base_record(verdict, *places)
    text = FORMATS[parsed.format](verdict, ReportOptions(key=parsed.key, record=measured, base=base))
    if parsed.to is None:
        around.out.print(text, end="")
    else:
        write_text(around.folder / parsed.to, text)
    return 0
