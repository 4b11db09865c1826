"""An engine is one measurement and one check: with these two modules it is run, judged and reported."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from coreml_gate.checks import CHECKS
from coreml_gate.checks.document import filled
from coreml_gate.children.job import ModelJob
from coreml_gate.children.process import ProcessLimits
from coreml_gate.config import Config, ModelConfig
from coreml_gate.gate.judge import judge
from coreml_gate.measurements import MEASUREMENTS
from coreml_gate.record import EngineFacts, ModelRecord
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.verdict import BaselineFacts, Status, Verdict
from coreml_gate.worker.models import measure_model
from coreml_gate.worker.supervisor import Supervisor
from tests.builders import model_record, record
from tests.house import ROOT
from tests.toy_engine import wide, wide_check
from tests.warm import ENVIRONMENT, WARM, command_of

NET = """
import torch

Net = torch.nn.Softmax

def build():
    return Net(dim=-1)

def samples():
    return [torch.randn(1, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
"""
CHILD = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from coreml_gate.measurements import MEASUREMENTS
from coreml_gate.worker.child import main
from tests.toy_engine import wide
MEASUREMENTS["wide"] = wide
main(Path(sys.argv[1]))
"""
CRASHING = """
import json, os, sys
from pathlib import Path
folder = Path(sys.argv[1]).parent
(folder / "events.jsonl").write_text(json.dumps({"step": "widen"}) + "\\n")
os.abort()
"""
SENTENCE = "against float32 on 2 samples."


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEASUREMENTS, wide.NAME, wide)
    monkeypatch.setitem(CHECKS, wide_check.NAME, wide_check.CHECK)


def measured(folder: Path, child: str) -> ModelRecord:
    (folder / "net.py").write_text(NET)
    job = ModelJob(
        only=("source", wide.NAME),
        root=folder,
        record_folder=folder / "out",
        model=ModelConfig(name="net", source="net.py:build", samples="net.py:samples"),
        closure="abc",
        max_samples=2,
    )
    script = folder / "child.py"
    script.write_text(child)
    return measure_model(
        job, Supervisor(ENVIRONMENT, ProcessLimits(600), child=command_of(script), start=WARM)
    )


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    engine = measured(tmp_path, CHILD).engine(wide.NAME)
    assert engine is not None
    head = ModelRecord.model_validate_json(model_record(wide=engine).model_dump_json())
    nowhere = BaselineFacts(origin="none: not asked for")
    return judge(Config(model=(ModelConfig(name="digits", source="a.py:b"),)), record(head), None, nowhere)


def test_it_is_measured_judged_and_in_every_report(verdict: Verdict) -> None:
    (finding,) = verdict.models[0].of(wide_check.NAME)
    assert finding.status is Status.WARN
    assert finding.value is not None
    assert 120 < finding.value < 200  # float32 rounds by 2**-24 of each value
    for form in ("terminal", "markdown", "html"):
        text = FORMATS[form](verdict, ReportOptions())
        assert "Float64" in text
        assert SENTENCE in text.replace("\n", " ")
    run = json.loads(FORMATS["sarif"](verdict, ReportOptions()))["runs"][0]
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert rules["wide"] == "How far is the source from itself in float64?"
    assert SENTENCE in "".join(result["message"]["text"] for result in run["results"])
    cases = ET.fromstring(FORMATS["junit"](verdict, ReportOptions())).iter("testcase")
    assert "wide: float64" in {case.get("name") for case in cases}
    page = filled("<!-- checks -->\n<!-- end of checks -->\n<!-- columns -->\n<!-- end of columns -->\n")
    assert "| wide | How far is the source from itself in float64? | shown | |\n" in page
    assert "| Float64 | `wide` | PSNR against float64 | difference |\n" in page


def test_a_child_that_ends_in_it_has_the_meaning_that_its_module_says(tmp_path: Path) -> None:
    found = measured(tmp_path, CRASHING)
    assert found.problem is None
    assert found.engine(wide.NAME) == EngineFacts(
        status="failed",
        message="model `net`: the child process crashed while running the source in float64 "
        "(killed by signal 6 (SIGABRT)).",
    )
