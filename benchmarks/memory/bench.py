"""Is the liveness peak what a runtime really holds? The model against our own runtime, on nets of the zoo.

    python benchmarks/memory/bench.py [--models unet_dilated,lstm]

The table of the whole zoo goes into docs/memory.md between its two marks.

The float32 twin runs in fp32 mode, so that the program's element types are those of the tensors. Per net: the
modelled peak of activations; the greatest sum of tensors that are really held while an operation has its
operands and its result, which is what the model claims; the same within operations, whose bodies make tensors
of their own; and what torch's allocator gave out, the scratch memory of kernels included.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from coreml_gate.config.load import load_config, select_models  # noqa: E402
from coreml_gate.conversion import convert  # noqa: E402
from coreml_gate.engines.mil import load_mil_engine  # noqa: E402
from coreml_gate.engines.samples import load_samples  # noqa: E402
from coreml_gate.engines.source import load_source  # noqa: E402
from coreml_gate.mil.package import read_package  # noqa: E402
from memory.live import allocated_bytes, live_tensors  # noqa: E402 - the folder has to be on the path first
from pages import write_between_marks  # noqa: E402 - as below

ZOO = ROOT / "zoo"
PAGE = ROOT.parent / "docs" / "memory.md"
MARK = "measured"
GOAL = 0.10
MB = 10**6


@dataclass(frozen=True)
class Row:
    model: str
    modelled: int
    held: int
    within: int
    allocated: int

    @property
    def ratio(self) -> float:
        return self.modelled / self.held


def measured(name: str, folder: Path) -> Row:
    (config,) = select_models(load_config(ZOO, None), [name]).model
    source = load_source(config.source, ZOO)
    samples = load_samples(config, source, ZOO, 1, ())
    converted = convert(source, samples, config, folder)
    if converted.reference is None:
        raise SystemExit(f"{name}: {converted.facts.message}")
    engine = load_mil_engine(read_package(converted.reference), "fp32", None, config)
    inputs = engine.inputs(samples.samples[0])
    given = sum(array.nbytes for array in inputs.values())
    engine.model.predict(inputs)
    live = live_tensors(lambda look: engine.model.predict(inputs, observe=look))
    return Row(
        model=name,
        modelled=engine.model.peak(inputs).bytes,
        held=live.held + given,
        within=live.peak + given,
        allocated=allocated_bytes(lambda: engine.model.predict(inputs)) + given,
    )


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| Net | Modelled MB | Held MB | Modelled / held | Within operations MB | Allocator MB |",
        "|---|--:|--:|--:|--:|--:|",
        *(
            f"| {row.model} | {row.modelled / MB:.2f} | {row.held / MB:.2f} | {row.ratio:.2f} "
            f"| {row.within / MB:.2f} | {row.allocated / MB:.2f} |"
            for row in rows
        ),
    ]
    within = sum(abs(row.ratio - 1) <= GOAL for row in rows)
    return "\n".join([*lines, "", f"{within} of {len(rows)} within {GOAL:.0%}."])


def in_a_process(name: str) -> Row | str:
    """The row of one net, or why there is none; the modules of one net must not meet those of the next."""
    command = [sys.executable, __file__, "--one", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{name}: {(done.stderr.strip() or 'no message').splitlines()[-1]}"
    return Row(**json.loads(done.stdout.splitlines()[-1]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="", help="only these, separated by commas")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if parsed.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asdict(measured(parsed.one, Path(folder)))))
        return 0
    names = (
        parsed.models.split(",") if parsed.models else [model.name for model in load_config(ZOO, None).model]
    )
    found = [in_a_process(name) for name in names]
    rows = [row for row in found if isinstance(row, Row)]
    problems = [problem for problem in found if isinstance(problem, str)]
    text = "\n".join((table(rows), *(f"Not measured: {problem}" for problem in problems)))
    print(text)
    if not parsed.models:
        write_between_marks(PAGE, MARK, text)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
