"""How well does the MIL runtime do on a zoo of models, against torch eager?

    python benchmarks/zoo/bench.py [--models resnet50,gru] [--rounds 9] [--threads 2] [--quick]

Each model is measured in a process of its own, and each peak of memory in a further one. The table is
printed, and written to docs/zoo.md when it holds all models. The exit code is 0 whatever the table says.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ZOO = Path(__file__).parent
sys.path.insert(0, str(ZOO.parent))

from coreml_gate.config.load import load_config  # noqa: E402
from coreml_gate.frozen import changed  # noqa: E402
from zoo.page import Conditions, page  # noqa: E402 - the folder of the zoo has to be on the path first
from zoo.row import Row, Variant  # noqa: E402

PAGE = ZOO.parents[1] / "docs" / "zoo.md"
ROUNDS = 9
QUICK_ROUNDS = 3
TIMEOUT_S = 1800
PEAKS: tuple[Variant, ...] = ("eager", "fp32", "fp16")


@dataclass(frozen=True)
class Options:
    models: tuple[str, ...]
    rounds: int
    threads: int
    quick: bool
    cpu_time: bool


def measured(model: str, options: Options) -> Row:
    """The model's row; whatever went wrong is in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = ["--cpu-time"] if options.cpu_time else []
        failure = child(["measure", model, "--rounds", str(options.rounds), *clock], folder, options.threads)
        path = folder / "row.json"
        row = Row.model_validate_json(path.read_bytes()) if path.exists() else Row(model=model)
        if failure:
            return changed(row, failures=(*row.failures, failure))
        if options.quick or row.failures:
            return row
        return changed(row, peak_bytes=peaks(model, folder, options.threads))


def peaks(model: str, folder: Path, threads: int) -> dict[Variant, int]:
    """The peaks that can be measured here: none on systems other than Linux."""
    found: dict[Variant, int] = {}
    for variant in PEAKS:
        failure = child(["peak", model, "--variant", variant], folder, threads)
        if not failure:
            found[variant] = int((folder / f"{variant}.peak").read_text(encoding="ascii"))
    return found


def child(arguments: Sequence[str], folder: Path, threads: int) -> str:
    """Runs the child process, and says how it failed; nothing if it did not."""
    command = [sys.executable, "-m", "zoo.child", *arguments]
    command += ["--folder", str(folder), "--threads", str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command, cwd=ZOO.parent, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S} s"
    if done.returncode == 0:
        return ""
    words = done.stderr.decode(errors="replace").strip().splitlines()
    return f"the process ended with {done.returncode}: {words[-1] if words else 'no message'}"


def parsed(arguments: Sequence[str] | None) -> Options:
    known = [model.name for model in load_config(ZOO).model]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", default=",".join(known), help="names, separated by commas")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}, with --quick {QUICK_ROUNDS}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="few rounds, no memory; writes no page")
    parser.add_argument(
        "--cpu-time", action="store_true", help="CPU seconds: for a busy machine, with --threads 1"
    )
    given = parser.parse_args(arguments)
    models = tuple(given.models.split(","))
    unknown = [name for name in models if name not in known]
    if unknown:
        parser.error(f"there is no model `{unknown[0]}`: choose among {', '.join(known)}")
    rounds = given.rounds or (QUICK_ROUNDS if given.quick else ROUNDS)
    return Options(models, rounds, given.threads, given.quick, given.cpu_time)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    load_before = os.getloadavg()[0]
    rows = []
    for model in options.models:
        print(f"{model} ...", file=sys.stderr, flush=True)
        rows.append(measured(model, options))
    loads = (load_before, os.getloadavg()[0])
    text = page(rows, Conditions(options.rounds, options.threads, options.cpu_time, loads))
    print(text)
    if not options.quick and len(rows) == len(load_config(ZOO).model):
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
