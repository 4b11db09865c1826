"""Prints what pyproject.toml depends on, a line each; a job that only reports needs nothing that runs models.

``python dependencies.py EVENT MODE``
"""

import re
import sys
import tomllib
from pathlib import Path

RUNS_MODELS = frozenset({"torch", "coremltools"})

event, mode = sys.argv[1:]
only_reports = event == "workflow_run" or mode == "report"
document = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
for line in document["project"]["dependencies"]:
    name = re.match(r"[\w-]+", line)
    if not (only_reports and name and name[0] in RUNS_MODELS):
        sys.stdout.write(f"{line}\n")
