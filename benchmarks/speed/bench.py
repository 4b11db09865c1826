"""How fast is the MIL runtime, against torch eager and ONNX Runtime, on the zoo and on nets outside of it?

    python benchmarks/speed/bench.py [--models gru,resnet50] [--rounds 7] [--packages build/speed] [--resume]

On one thread and in CPU time, so that a busy machine disturbs little: the variants of a net take turns in a
rotated order, and each time is divided by torch eager's of the same round. Packages are converted once and
stay in the folder, and so do the rows: ``--resume`` measures only what has none. Writes docs/performance.md,
with ``--models`` only where ``--write`` asks for it; the exit code is 0 whatever it says.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from coreml_gate.config.load import load_config  # noqa: E402
from pages import between_marks  # noqa: E402 - the folder of the benchmarks has to be on the path first
from speed.page import page  # noqa: E402
from zoo.bench import ZOO  # noqa: E402
from zoo.child import measure  # noqa: E402
from zoo.page import Conditions  # noqa: E402
from zoo.row import Row  # noqa: E402
from zoo.variants import Subject  # noqa: E402

PAGE = FOLDER.parents[1] / "docs" / "performance.md"
ROOTS = {"zoo": ZOO, "outside": FOLDER}
THREADS = 1
ROUNDS = 7
ROW = "row.json"
UNMEASURED = "not measured in this run"


@dataclass(frozen=True)
class Net:
    """A model of one of the two repositories."""

    group: str
    name: str


def nets() -> tuple[Net, ...]:
    return tuple(Net(group, model.name) for group, root in ROOTS.items() for model in load_config(root).model)


def measured(net: Net, packages: Path, rounds: int) -> Row:
    """The net's row, which is kept beside its packages; they are converted where they are missing."""
    root, folder = ROOTS[net.group], packages / net.group / net.name
    folder.mkdir(parents=True, exist_ok=True)
    config = next(model for model in load_config(root).model if model.name == net.name)
    subject, row = Subject(config, root, folder, THREADS), Row(model=net.name)
    what = ("time",) if (folder / "package.mlpackage").exists() else ("convert", "time")
    for step in what:
        if not row.failures:
            row = next(measure(subject, row, rounds, time.process_time, step))
    (folder / ROW).write_text(row.model_dump_json(), encoding="utf-8")
    return row


def kept(net: Net, packages: Path) -> Row | None:
    """The row of an earlier run."""
    path = packages / net.group / net.name / ROW
    return Row.model_validate_json(path.read_bytes()) if path.exists() else None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; all without")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--packages", type=Path, default=FOLDER.parents[1] / "build" / "speed")
    parser.add_argument("--resume", action="store_true", help="keep the rows that stand in the folder")
    parser.add_argument("--write", action="store_true", help="write the page although nets are left out")
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    packages, names = options.packages.resolve(), set(options.models.split(",")) - {""}
    load_before, rows = os.getloadavg()[0], dict[str, list[Row]]((group, []) for group in ROOTS)
    for net in nets():
        row = kept(net, packages) if options.resume else None
        if row is None and (not names or net.name in names):
            print(f"{net.name} ...", file=sys.stderr, flush=True)
            row = measured(net, packages, options.rounds)
        rows[net.group] += [row or Row(model=net.name, failures=(UNMEASURED,))]
    loads = (load_before, os.getloadavg()[0])
    conditions = Conditions(options.rounds, THREADS, cpu_time=True, loads=loads)
    text = page(rows, conditions, between_marks(PAGE, "whole runs"), between_marks(PAGE, "evaluation"))
    print(text)
    if not names or options.write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
