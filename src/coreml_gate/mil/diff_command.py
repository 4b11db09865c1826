"""``coreml-gate diff``: shows the changes between two packages."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from coreml_gate.arguments import add_json
from coreml_gate.mil.diff import Diff
from coreml_gate.surroundings import Surroundings

_MODEL_FILE = "Data/com.apple.CoreML/model.mlmodel"


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("base", type=Path, metavar="BASE", help="the old .mlpackage folder")
    parser.add_argument("head", type=Path, metavar="HEAD", help="the new .mlpackage folder")
    add_json(parser, ", with every change")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print up to ten lines, or every change as JSON; a difference is not a failure."""
    from coreml_gate.mil.diff_changes import diff  # noqa: PLC0415 - as below
    from coreml_gate.mil.outline import outline  # noqa: PLC0415 - numpy: --help must not pay for it
    from coreml_gate.mil.package import read_package  # noqa: PLC0415 - as above

    paths = (around.folder / parsed.base, around.folder / parsed.head)
    base, head = (outline(read_package(path).function()) for path in paths)
    found = diff(base, head)
    text = _for_machines(found) if parsed.json else _for_people(found, parsed)
    around.out.print(text)
    return 0


def _for_people(found: Diff, parsed: argparse.Namespace) -> str:
    files = "; ".join(f"netron {path / _MODEL_FILE}" for path in (parsed.base, parsed.head))
    look = f"To look at both (pip install netron): {files}"
    return "\n".join((found.headline(), *(f"  {line}" for line in found.lines(8)), look))


def _for_machines(found: Diff) -> str:
    return json.dumps({"counts": dict(found.count()), **asdict(found)}, indent=1, ensure_ascii=False)
