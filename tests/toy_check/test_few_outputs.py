"""A check is one value: with its module alone it is judged, reported in every format and documented."""

import json
import xml.etree.ElementTree as ET

import pytest

from coreml_gate.checks import CHECKS
from coreml_gate.checks.document import filled
from coreml_gate.config import Config
from coreml_gate.explain.table import explained
from coreml_gate.gate.judge import judge
from coreml_gate.gate.packages_compared import candidates
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.verdict import BaselineFacts, Status, Verdict
from tests.builders import environment, model_config, model_record, record
from tests.toy_check import few_outputs

SENTENCE = "the package has 1 output, allowed 0."


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> Verdict:
    monkeypatch.setitem(CHECKS, few_outputs.NAME, few_outputs.CHECK)
    return judge(
        Config(model=(model_config(),)),
        record(model_record()),
        None,
        BaselineFacts(origin="none: not asked for"),
    )


def test_it_is_judged(verdict: Verdict) -> None:
    (finding,) = verdict.models[0].of("few-outputs")
    assert (finding.status, finding.value, finding.message) == (Status.WARN, 1.0, SENTENCE)
    assert verdict.models[0].verdict is Status.WARN


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_people_read_its_column_and_its_sentence(verdict: Verdict, form: str) -> None:
    text = FORMATS[form](verdict, ReportOptions())
    assert "Outputs" in text
    assert SENTENCE in text


def test_machines_read_it(verdict: Verdict) -> None:
    run = json.loads(FORMATS["sarif"](verdict, ReportOptions()))["runs"][0]
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert rules["few-outputs"] == "Does the package have few outputs?"
    assert SENTENCE in "".join(result["message"]["text"] for result in run["results"])
    cases = ET.fromstring(FORMATS["junit"](verdict, ReportOptions())).iter("testcase")
    assert "few-outputs: outputs" in {case.get("name") for case in cases}
    findings = json.loads(FORMATS["json"](verdict, ReportOptions()))["models"][0]["findings"]
    assert "few-outputs" in {finding["check"] for finding in findings}


def test_it_judges_variants_and_stands_in_the_pages(verdict: Verdict) -> None:
    del verdict
    (candidate,) = candidates(model_config(), model_record(), environment())
    assert "few-outputs" in {finding.check for finding in candidate.findings}
    page = filled("<!-- checks -->\n<!-- end of checks -->\n<!-- columns -->\n<!-- end of columns -->\n")
    assert "| few-outputs | Does the package have few outputs? | at most 0 | |\n" in page
    assert "| Outputs | `few-outputs` | outputs of the package | difference |\n" in page


def test_it_is_explained(verdict: Verdict) -> None:
    del verdict
    (explanation,) = explained("few-outputs")
    assert (explanation.meaning, explanation.fix) == (
        "Does the package have few outputs?",
        "Return one tensor.",
    )
    assert "/coreml-gate accept few-outputs of MODEL" in explanation.accept
