import xml.etree.ElementTree as ET

import pytest

from coreml_gate.report import ReportOptions, junit
from coreml_gate.verdict import Status, Verdict, not_run
from tests.builders import finding, model_verdict, verdict
from tests.report.verdicts import SITUATIONS, conversion_failure, no_change, regression, strict, unsure


def root_of(given: Verdict) -> ET.Element:
    return ET.fromstring(junit.render(given, ReportOptions()))


def model_suites(given: Verdict) -> list[ET.Element]:
    """All suites but the first, which is the run's."""
    return list(root_of(given))[1:]


def tags(given: Verdict) -> list[str]:
    return [child.tag for suite in model_suites(given) for case in suite.iter("testcase") for child in case]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_form_that_jenkins_and_gitlab_read(situation: str) -> None:
    root = root_of(SITUATIONS[situation]())
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        names = [(case.attrib["classname"], case.attrib["name"]) for case in suite.iter("testcase")]
        assert len(set(names)) == len(names) == int(suite.attrib["tests"])
        results = [child.tag for case in suite.iter("testcase") for child in case]
        assert results.count("failure") == int(suite.attrib["failures"])
        assert results.count("error") == int(suite.attrib["errors"])
        assert results.count("skipped") == int(suite.attrib["skipped"])
    assert int(root.attrib["tests"]) == sum(int(suite.attrib["tests"]) for suite in root)


def test_one_suite_per_model_and_one_case_per_finding() -> None:
    suites = model_suites(regression())
    assert [suite.attrib["name"] for suite in suites] == ["embedder", "digits", "detector"]
    assert [case.attrib["name"] for case in suites[1]] == [
        "size: package",
        "memory: package",
        "parity: logits",
        "precision: logits",
        "evaluate: accuracy",
    ]
    failure = suites[1][2].find("failure")
    assert failure is not None
    assert failure.attrib["message"].startswith("output `logits`: greatest difference 0.31")
    assert "Hint: the float32 package differs" in (failure.text or "")
    assert suites[1][2].attrib["file"] == "models/net.py"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (unsure(), ["skipped", "skipped"]),
        (strict(unsure()), ["error", "error"]),
        (conversion_failure(), ["failure", "skipped"]),
        (no_change(), ["skipped"] * 3),
        (verdict(model_verdict(finding(status=Status.WARN))), ["system-out"]),
    ],
)
def test_statuses(given: Verdict, expected: list[str]) -> None:
    assert tags(given) == expected


def test_characters_that_xml_cannot_hold_are_left_out() -> None:
    odd = finding(subject="a\x00\x1b\ufffe\ud800b\U0001f600", status=Status.FAIL, details=("\x0b",))
    ((case,),) = model_suites(verdict(model_verdict(odd)))
    assert case.attrib["name"] == "parity: ab\U0001f600"


def test_equal_names_are_numbered() -> None:
    (cases,) = model_suites(verdict(model_verdict(finding(), finding())))
    assert [case.attrib["name"] for case in cases] == ["parity: logits", "parity: logits (2)"]


def test_what_belongs_to_no_model_is_the_first_suite() -> None:
    root = root_of(not_run("there is no configuration here.", "write coreml-gate.toml.", 3))
    (suite,) = root
    assert suite.attrib["name"] == "(run)"
    assert [case.attrib["name"] for case in suite] == ["run: run", "baseline"]
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.text == "there is no configuration here.\nHint: write coreml-gate.toml."
    assert (root.attrib["failures"], root.attrib["skipped"]) == ("1", "1")


def test_the_first_suite_says_where_the_baseline_came_from_or_why_there_is_none() -> None:
    found = root_of(regression())[0].find("testcase[@name='baseline']/system-out")
    missing = root_of(SITUATIONS["first-run"]())[0].find("testcase[@name='baseline']/skipped")
    assert found is not None
    assert found.text == "rebuilt in this run"
    assert missing is not None
    assert missing.attrib["message"].startswith("none: ")
