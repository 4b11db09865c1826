"""What the action installs."""

import subprocess
import sys

import pytest

from tests.action.document import ROOT


def listed(event: str, mode: str = "auto") -> set[str]:
    command = [sys.executable, str(ROOT / "action" / "dependencies.py"), event, mode]
    return set(subprocess.check_output(command, text=True).splitlines())


@pytest.mark.parametrize(("event", "mode"), [("workflow_run", "auto"), ("pull_request", "report")])
def test_a_job_that_only_reports_installs_nothing_that_runs_models(event: str, mode: str) -> None:
    everything, light = listed("pull_request"), listed(event, mode)

    assert {line.partition(">")[0] for line in everything - light} == {"torch", "coremltools"}
    assert light < everything


@pytest.mark.parametrize("module", ["coreml_gate.github.steps", "coreml_gate.cli"])
def test_it_works_without_them(module: str) -> None:
    blocked = "import sys; sys.modules.update({'torch': None, 'coremltools': None});"
    subprocess.run([sys.executable, "-c", f"{blocked} import {module}"], check=True)
