"""A pull request on a Mac: Core ML predicts, is planned and timed by the same command, under its own name."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.stand_in.script import VARIABLE, Script
from tests.fake_mac.environment import ANSWERS, environment_of
from tests.gate.conftest import IDENTITY, Folder

CONFIG = """
[gate]
time-budget-s = 1
core-ml-units = ["CPU_ONLY", "ALL"]
core-ml-timeout-s = 600

[[model]]
name = "total"
source = "model.py:build"
samples = "model.py:samples"
"""
WITH_A_FOOTPRINT = f"{CONFIG}\n[model.limits.memory]\nfootprint-max-ratio = 1.5\n"
MODEL = """
import torch

class Total(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) * FACTOR

def build():
    return Total().eval()

def samples():
    return [{"x": torch.linspace(-1, 1, 16).reshape(1, 16)}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Folder:
    """Two commits: the head multiplies by another factor."""
    root = tmp_path / "project"
    root.mkdir()
    folder = Folder(root, os.environ)
    folder.git("init", "--quiet", "--initial-branch", "main")
    folder.commit({"coreml-gate.toml": CONFIG, "model.py": MODEL.replace("FACTOR", "0.5")})
    folder.git("checkout", "--quiet", "-b", "topic")
    folder.commit({"model.py": MODEL.replace("FACTOR", "0.25")})
    return folder


def of_a_mac(folder: Path) -> Path:
    """The recorded answers with those of a Mac that is no virtual machine."""
    answers = Path(shutil.copytree(ANSWERS, folder / "answers"))
    (answers / "sysctl.txt").write_text(
        "machdep.cpu.brand_string: Apple M2\nhw.model: Mac14,2\n"
        "hw.memsize: 17179869184\nkern.hv_vmm_present: 0\n"
    )
    return answers


def run(
    project: Folder, tmp_path: Path, answers: Path = ANSWERS, **script: Any
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Exit code, Record and report of one run; the script says how this Mac misbehaves."""
    home, written = tmp_path / "home", tmp_path / "script.json"
    home.mkdir()
    written.write_text(Script.model_validate({"home": str(home), **script}).model_dump_json())
    environment = {
        **environment_of(tmp_path, os.environ, answers=answers),
        **IDENTITY,
        "HOME": str(home),
        VARIABLE: str(written),
    }
    command = [sys.executable, "-m", "coreml_gate", "run", "--base", "main"]
    done = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )
    output = project.root / ".coreml-gate"
    assert (output / "record.json").exists(), done.stdout + done.stderr
    assert not list(home.rglob("*e5bundlecache*"))
    assert not list(output.rglob("*.mlmodelc"))
    record = json.loads((output / "record.json").read_text(encoding="utf-8"))
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    return done.returncode, record["models"][0]["core_ml"], report


def findings(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    (model,) = report["models"]
    return {(each["check"], each["subject"]): each for each in model["findings"]}


def test_core_ml_answers_under_its_own_name_on_each_choice_of_hardware(
    project: Folder, tmp_path: Path
) -> None:
    code, facts, report = run(project, tmp_path)
    assert code == 0
    assert report["engine"] == "mil+coreml"
    assert facts["machine"]["stand_in"] == ""
    assert facts["machine"]["chip"] == "Apple M1 (Virtual)"
    found = findings(report)
    for units in ("CPU_ONLY", "ALL"):
        assert found["coreml-parity", f"Core ML {units}"]["status"] == "pass"
    assert facts["placement"]["devices"] == {"NE": sum(facts["placement"]["devices"].values())}
    timed = {each["metric"]: each for each in facts["timing"]["metrics"]}
    assert {"predict", "load", "cold-load"} <= set(timed)
    assert timed["predict"]["head_wall_ms"] > timed["predict"]["head_ms"]


@pytest.mark.slow
def test_a_unit_that_aborts_leaves_the_others_their_findings(project: Folder, tmp_path: Path) -> None:
    broken = {"phase": "predict", "what": "abort", "units": "ALL"}
    _, facts, report = run(project, tmp_path, misbehaviours=[broken])
    found = findings(report)
    assert found["coreml-parity", "Core ML CPU_ONLY"]["status"] == "pass"
    aborted = found["coreml-parity", "Core ML ALL"]
    assert "killed by signal 6 (SIGABRT)" in aborted["message"]
    assert aborted["status"] == "unsure"  # a virtual machine: not the model's fault
    assert facts["runs"][1]["ending"]["phase"] == "predict"


ALL = "Core ML ALL"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "check", "subject", "status", "words"),
    [
        (
            {"misbehaviours": [{"phase": "predict", "what": "kill", "units": "ALL", "after": 1}]},
            "coreml-parity",
            ALL,
            "fail",
            "killed by signal 9 (SIGKILL)",
        ),
        (
            {"misbehaviours": [{"phase": "load", "what": "engine-refuses", "units": "ALL"}]},
            "coreml-parity",
            ALL,
            "unsure",
            "the Neural Engine's compiler refused the program",
        ),
        (
            {"wrong_outputs": [{"what": "nan", "units": "ALL", "after": 1}]},
            "coreml-parity",
            ALL,
            "fail",
            "two runs of the same sample differ",
        ),
        (
            {"wrong_outputs": [{"what": "missing", "units": "ALL"}]},
            "coreml-parity",
            ALL,
            "fail",
            "gave no output `output_0`, only nothing",
        ),
        (
            {"misbehaviours": [{"phase": "predict", "what": "abort", "path": "footprint/head-1"}]},
            "footprint",
            "footprint",
            "fail",
            "a process that measures the footprint crashed in phase predict",
        ),
        (
            {"misbehaviours": [{"phase": "load", "what": "abort", "path": "timing/head"}]},
            "latency",
            "predict",
            "fail",
            "the timing process crashed in phase load-head (killed by signal 6 (SIGABRT))",
        ),
    ],
    ids=[
        "killed",
        "engine refuses",
        "NaN the second time",
        "no output",
        "footprint lost",
        "head does not load in time",
    ],
)
def test_what_core_ml_does_wrong_reaches_the_report_and_never_passes(
    project: Folder, tmp_path: Path, script: dict[str, Any], check: str, subject: str, status: str, words: str
) -> None:
    project.commit({"coreml-gate.toml": WITH_A_FOOTPRINT if check == "footprint" else CONFIG})
    code, _, report = run(project, tmp_path, of_a_mac(tmp_path), **script)
    found = findings(report)[check, subject]
    assert (found["status"], code) == (status, int(status == "fail"))
    assert words in found["message"]
    assert findings(report)["coreml-parity", "Core ML CPU_ONLY"]["status"] == "pass"
