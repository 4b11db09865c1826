"""How long planning takes in a repository with 1,000 models in 50,000 files.

    python benchmarks/plan/bench.py

Each model has a folder with its script, four modules of its own and a test; all share a package of which each
imports a part. About 6,000 files are reachable from models, the others are what a
grown repository holds besides.
Every Python file has about 100 lines. One shared module and one model's file changed since the base.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from coreml_gate.config import Config
from coreml_gate.config.load import load_config
from coreml_gate.gate.closure import Closures

MODELS = 1_000
FILES = 50_000
SHARED = 1_000
GROUP = 50
IMPORTED_BY_EACH = 20
RUNS = 5

ENVIRON = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
BODY = "\n\ndef layer(x, width=64):\n    y = x * width\n    return y + width\n" * 19


def git(root: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, "-c", "gc.auto=0", *arguments]
    return subprocess.run(command, cwd=root, env=ENVIRON, check=True, capture_output=True, text=True).stdout


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def shared_module(number: int) -> str:
    """Imports two others of its group further on, so that closures are deep as well as wide."""
    return "".join(
        f"from shop.part{later}.layers import layer as layer{later}\n"
        for later in (number + 1, number + 7)
        if later // GROUP == number // GROUP
    )


def build(root: Path) -> None:
    """Writes and commits the repository, then changes two files in a second commit."""
    write(root / "src/shop/__init__.py", "")
    for number in range(SHARED):
        write(root / f"src/shop/part{number}/layers.py", "import torch\n" + shared_module(number) + BODY)
    for number in range(MODELS):
        folder = root / f"models/m{number}"
        parts = range(number, number + IMPORTED_BY_EACH)
        shared = "".join(f"from shop.part{part % SHARED} import layers as part{part}\n" for part in parts)
        write(folder / "net.py", "import torch\nfrom torch import nn\nimport a, b, c\n" + shared + BODY)
        for name, imported in (
            ("a", "import numpy as np"),
            ("b", "import d"),
            ("c", "import d"),
            ("d", "import math"),
        ):
            write(folder / f"{name}.py", f"{imported}\n{BODY}")
        write(folder / "test_net.py", f"import pytest\nimport net\n{BODY}")
    models = (f'[[model]]\nname = "m{n}"\nsource = "models/m{n}/net.py:build"\n' for n in range(MODELS))
    write(root / "coreml-gate.toml", "\n".join(models))
    written = SHARED + 6 * MODELS + 2
    for number in range(FILES - written):
        write(root / f"tools/t{number % 200}/tool{number}.py", f"import sys\n{BODY}")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "base")
    write(root / "src/shop/part500/layers.py", "changed = True\n")
    write(root / "models/m3/a.py", "changed = True\n")
    git(root, "commit", "--quiet", "--all", "--message", "head")


def seconds_to_plan(root: Path) -> tuple[float, float, int]:
    """Of the whole command: elapsed, on the processor with git's share, and the number of models to measure.

    On a busy machine only the second means something.
    """
    command = [sys.executable, "-m", "coreml_gate", "plan", "--base", "HEAD~1", "--json"]
    before = os.times()
    answer = subprocess.run(command, cwd=root, env=ENVIRON, check=True, capture_output=True, text=True).stdout
    after = os.times()
    jobs = len(json.loads(answer)["jobs"])
    return after.elapsed - before.elapsed, sum(after[2:4]) - sum(before[2:4]), jobs


def files_of_models(root: Path, config: Config) -> list[frozenset[str]]:
    closures = Closures(root)
    return [closures.of(model).files for model in config.model]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build(root)
        elapsed, processor, jobs = zip(*(seconds_to_plan(root) for _ in range(RUNS)), strict=True)
        files = len(git(root, "ls-files").splitlines())
        closures = files_of_models(root, load_config(root))
        reachable, per_model = len(frozenset().union(*closures)), statistics.mean(map(len, closures))
        print(
            f"plan: {statistics.median(elapsed):.2f} s, processor {statistics.median(processor):.2f} s "
            f"(medians of {RUNS}); {MODELS} models in {files} files, {reachable} reachable, "
            f"{per_model:.0f} per model; {jobs[0]} jobs"
        )


if __name__ == "__main__":
    main()
