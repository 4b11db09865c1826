"""SARIF 2.1.0 against its schema and by hand: what sections 3.13 to 3.28 require, and what GitHub reads."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from coreml_gate.checks import CHECKS
from coreml_gate.report import ReportOptions, sarif
from coreml_gate.verdict import Finding, Status, Verdict, not_run
from tests.builders import finding, model_verdict, verdict
from tests.report.verdicts import SITUATIONS, regression, strict, unsure

DEFAULT = ReportOptions()
SLICE = Path(__file__).parent / "sarif_schema" / "slice.json"


@cache
def validator() -> jsonschema.Draft4Validator:
    schema = json.loads(SLICE.read_text(encoding="utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


def run_of(given: Verdict, options: ReportOptions = DEFAULT) -> dict[str, Any]:
    log = json.loads(sarif.render(given, options))
    validator().validate(log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    return dict(run)


def result_of(given: Finding) -> dict[str, Any]:
    (result,) = run_of(verdict(model_verdict(given)))["results"]
    return dict(result)


def place_of(given: Finding) -> tuple[str, int]:
    place = result_of(given)["locations"][0]["physicalLocation"]
    return place["artifactLocation"]["uri"], place["region"]["startLine"]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_required_properties(situation: str) -> None:
    run = run_of(SITUATIONS[situation]())
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "coreml-gate"
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["shortDescription"]["text"] for rule in rules)
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in {"error", "warning", "note"}
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"]
        assert place["region"]["startLine"] >= 1


def test_one_result_for_each_finding_that_does_not_pass() -> None:
    results = run_of(regression())["results"]
    assert [(result["properties"]["model"], result["ruleId"], result["level"]) for result in results] == [
        ("digits", "size", "error"),
        ("digits", "parity", "error"),
        ("digits", "evaluate", "error"),
        ("digits", "precision", "warning"),
        ("detector", "precision", "warning"),
    ]


def test_unsure_is_a_note_unless_it_blocks() -> None:
    blocked = strict(unsure())
    assert {result["level"] for result in run_of(unsure())["results"]} == {"note"}
    assert {result["level"] for result in run_of(blocked)["results"]} == {"error"}


@pytest.mark.parametrize(
    ("file", "line", "place"),
    [
        ("models/net.py", 41, ("models/net.py", 41)),
        ("models/my net.py", None, ("models/my%20net.py", 1)),
        ("", None, ("coreml-gate.toml", 1)),
        ("/etc/passwd", 3, ("coreml-gate.toml", 1)),
        ("models/../../secret", 3, ("coreml-gate.toml", 1)),
        ("https://evil.example/x", 3, ("https%3A//evil.example/x", 3)),
    ],
)
def test_where_a_finding_points(file: str, line: int | None, place: tuple[str, int]) -> None:
    assert place_of(finding(status=Status.FAIL, file=file, line=line)) == place


def test_the_configuration_file_is_an_option() -> None:
    given = verdict(model_verdict(finding(status=Status.FAIL)))
    (result,) = run_of(given, ReportOptions(config_file="pyproject.toml"))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "pyproject.toml"


def test_fingerprint_is_the_same_whatever_the_number() -> None:
    first = result_of(finding(status=Status.FAIL, value=1.0, message="1.0"))
    later = result_of(finding(status=Status.WARN, value=2.0, message="2.0"))
    other = result_of(finding(status=Status.FAIL, subject="boxes"))
    assert first["partialFingerprints"] == later["partialFingerprints"]
    assert first["partialFingerprints"] != other["partialFingerprints"]


def test_message_holds_no_placeholder_and_no_link() -> None:
    text = result_of(finding(status=Status.FAIL, message="{0} [click](http://evil.example)"))["message"][
        "text"
    ]
    assert text == "digits: {{0}} [click] (http://evil.example)"


def test_the_schema_refuses_what_sarif_does_not_know() -> None:
    log = json.loads(sarif.render(regression(), DEFAULT))
    log["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError, match="'fatal' is not one of"):
        validator().validate(log)


def test_what_belongs_to_no_model_is_a_result_too() -> None:
    run = run_of(not_run("`coreml-gate.toml`: unknown key `limit` at line 7.", "meant: `limits`.", 3))
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("run", "error")
    assert result["message"]["text"] == (
        "`coreml-gate.toml`: unknown key `limit` at line 7. Hint: meant: `limits`."
    )
    assert "logicalLocations" not in result["locations"][0]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)


def test_a_missing_baseline_is_a_notification() -> None:
    (invocation,) = run_of(SITUATIONS["first-run"]())["invocations"]
    (note,) = invocation["toolExecutionNotifications"]
    assert note["message"]["text"] == "no baseline: none: `build/base/record.json` does not exist yet"
    assert invocation["executionSuccessful"]
    assert run_of(regression())["invocations"][0]["toolExecutionNotifications"] == []


def test_no_more_results_than_code_scanning_keeps_and_the_gravest_of_them() -> None:
    warned = [finding(status=Status.WARN, subject=str(number)) for number in range(sarif.MAX_RESULTS)]
    run = run_of(verdict(model_verdict(*warned, finding(status=Status.FAIL, subject="last"))))
    assert len(run["results"]) == sarif.MAX_RESULTS
    assert run["results"][0]["properties"]["subject"] == "last"
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith("report.json has 1 more result:")


def test_every_check_has_its_question() -> None:
    findings = [finding(check=name) for name in CHECKS]
    rules = run_of(verdict(model_verdict(*findings)))["tool"]["driver"]["rules"]
    assert [rule["shortDescription"]["text"] for rule in rules] == [
        check.question for check in CHECKS.values()
    ]
