"""Prints what pyproject.toml depends on, a line each; under ``workflow_run`` without what runs models."""

import re
import sys
import tomllib
from pathlib import Path

RUNS_MODELS = frozenset({"torch", "coremltools"})

document = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
for line in document["project"]["dependencies"]:
    name = re.match(r"[\w-]+", line)
    if sys.argv[1] != "workflow_run" or name is None or name[0] not in RUNS_MODELS:
        sys.stdout.write(f"{line}\n")
