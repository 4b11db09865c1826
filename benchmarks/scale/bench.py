"""What does a whole run cost beside the plain script that imports, builds, runs and converts once?

    python benchmarks/scale/bench.py [--models resnet50,decoder_100m] [--write]

Each net goes through the plain script and through ``coreml-gate run`` (head only, default checks, at most 4
samples), one after the other and each in fresh processes. The table goes between two marks of
docs/performance.md, with the rows that earlier runs left in build/scale. CPU time on one thread, because
wall time compares little on a machine that does other work; memory is the resident set of the largest
process.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SCALE = Path(__file__).parent
sys.path.insert(0, str(SCALE.parent))

from coreml_gate.config import ModelConfig  # noqa: E402
from coreml_gate.config.load import load_config  # noqa: E402
from pages import write_between_marks  # noqa: E402 - the folder has to be on the path first
from scale.watched import Watched, watch  # noqa: E402 - as above
from zoo.page import processor  # noqa: E402 - as above

PAGE = SCALE.parents[1] / "docs" / "performance.md"
MARK = "whole runs"
ROOTS: Mapping[str, tuple[str, ...]] = {
    "zoo": ("mobilenetv3_large", "resnet50"),
    "scale": ("decoder_100m", "decoder_400m", "decoder_400m_int4", "decoder_400m_palettised", "decoder_1b"),
}


BUILD = SCALE.parents[1] / "build" / "scale"
GOALS = "Goals: CPU 1.25 from 20 million parameters on, 1.5 below; peak 1.3."
MB = 1e6
PASS, BLOCKED = 0, 1
"""Exit codes of a run that measured everything."""


@dataclass(frozen=True)
class Net:
    """One model of one of the repositories."""

    root: Path
    config: ModelConfig


def nets() -> list[Net]:
    known = {
        (folder, model.name): Net(SCALE.parent / folder, model)
        for folder in ROOTS
        for model in load_config(SCALE.parent / folder).model
    }
    return [known[folder, name] for folder, names in ROOTS.items() for name in names]


def measured(net: Net, folder: Path) -> dict[str, Watched]:
    """The plain script first, so that the files that both read are in the system's cache for the gate."""
    config, output = net.config, ["--output", str(folder / "out")]
    script = [str(SCALE / "plain.py"), str(net.root), config.source, str(config.samples)]
    script += [config.deployment_target, str(folder / "plain.mlpackage"), _compression(config)]
    plain = watch([sys.executable, *script], net.root)
    run = [sys.executable, "-m", "coreml_gate", "run", "--model", config.name, *output]
    gate = watch(run, net.root, done=(PASS, BLOCKED))
    return {"plain": plain, "gate": gate}


def _compression(config: ModelConfig) -> str:
    options = config.compress
    return "" if options is None else f"{options.method}:{options.block_size or options.bits}"


def table(rows: Mapping[str, Mapping[str, Watched]]) -> str:
    lines = [
        "| Net | Plain CPU s | Gate CPU s | Ratio | Plain peak MB | Gate peak MB | Ratio | Peak by phase |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    return "\n".join([*lines, *(_line(name, row["plain"], row["gate"]) for name, row in rows.items())])


def _line(name: str, plain: Watched, gate: Watched) -> str:
    failure = plain.failure or gate.failure
    if failure:
        return f"| `{name}` | not measured: {failure} | | | | | | |"
    steps = {line: peak for line, peak in gate.phases.items() if line.replace("-", "").isalpha()}
    phases = ", ".join(f"{step} {peak / MB:,.0f}" for step, peak in steps.items())
    cells = (
        f"`{name}`",
        f"{plain.cpu_seconds:.1f}",
        f"{gate.cpu_seconds:.1f}",
        f"{gate.cpu_seconds / plain.cpu_seconds:.2f}",
        f"{plain.peak_bytes / MB:,.0f}",
        f"{gate.peak_bytes / MB:,.0f}",
        f"{gate.peak_bytes / plain.peak_bytes:.2f}",
        phases,
    )
    return f"| {' | '.join(cells)} |"


def kept(name: str) -> dict[str, Watched] | None:
    """The row of an earlier run."""
    path = BUILD / f"{name}.json"
    if not path.exists():
        return None
    return {side: Watched(**of) for side, of in json.loads(path.read_text(encoding="utf-8")).items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; all without")
    parser.add_argument("--write", action="store_true", help="write the table although nets are left out")
    options = parser.parse_args(arguments)
    names = set(options.models.split(",")) - {""}
    BUILD.mkdir(parents=True, exist_ok=True)
    for net in nets():
        if not names or net.config.name in names:
            with tempfile.TemporaryDirectory() as folder:
                row = measured(net, Path(folder))
            text = json.dumps({side: asdict(of) for side, of in row.items()})
            (BUILD / f"{net.config.name}.json").write_text(text, encoding="utf-8")
            print(table({net.config.name: row}), flush=True)
    rows = {net.config.name: row for net in nets() if (row := kept(net.config.name)) is not None}
    missing = [f"`{net.config.name}`" for net in nets() if net.config.name not in rows]
    notes = [f"Not measured: {', '.join(missing)}."] if missing else []
    load = f"{processor()}, one thread, load average {os.getloadavg()[0]:.1f} at the end. {GOALS}"
    if not names or options.write:
        write_between_marks(PAGE, MARK, "\n\n".join([load, table(rows), *notes]))


if __name__ == "__main__":
    main()
