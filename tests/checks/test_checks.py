from dataclasses import replace
from typing import Any

import pytest

from coreml_gate.checks import CHECKS, examine
from coreml_gate.checks.evidence import LOST
from coreml_gate.record import ModelRecord
from coreml_gate.verdict import Status
from tests.builders import conversion, environment, model_record
from tests.checks.cases import NOT_CONVERTED, PROBLEM, evidence

NOTHING = {
    "source": None,
    "conversion": None,
    "package": None,
    "memory": None,
    "cost": None,
    "parity": (),
    "precision": (),
    "rules": None,
}


ORDER = [
    "conversion",
    "interface",
    "image-input",
    "parity",
    "adversarial",
    "precision",
    "hazards",
    "coreml-parity",
    "evaluate",
    "size",
    "memory",
    "latency",
    "footprint",
    "placement",
    "on-device",
    "compression",
    "rules",
    "cost",
    "devices",
    "structure",
    "litert",
]


def test_reading_order() -> None:
    assert list(CHECKS) == ORDER
    compared_with_nothing = [finding.check for finding in examine(evidence())]
    always = [name for name in ORDER[: ORDER.index("structure")] if name != "image-input"]
    assert compared_with_nothing == always


def test_what_was_lost_is_unsure_and_what_was_not_requested_is_skipped() -> None:
    refused, *others = examine(evidence(NOT_CONVERTED, model_record()))
    assert refused.status is Status.FAIL
    by_status = {
        status: {finding.check for finding in others if finding.status is status}
        for status in (Status.UNSURE, Status.SKIPPED)
    }
    assert by_status == {
        Status.UNSURE: {
            "interface", "parity", "adversarial", "precision", "hazards", "size", "memory", "cost"
        },
        Status.SKIPPED: {
            "coreml-parity", "evaluate", "latency", "footprint", "placement", "on-device", "compression",
            "devices",
        },
    }  # fmt: skip
    assert {finding.message for finding in others if finding.status is Status.UNSURE} == {LOST}


@pytest.mark.parametrize(
    ("platform", "head", "reason"),
    [
        ("Linux x86_64", NOT_CONVERTED, "not run: Core ML needs macOS."),
        ("Darwin arm64", NOT_CONVERTED, LOST),
        ("Darwin arm64", model_record(problem=PROBLEM), LOST),
        ("Darwin arm64", model_record(), "not run: Core ML was not used on this Mac (`--core-ml off`)."),
    ],
)
def test_why_core_ml_measured_nothing_is_true_of_this_machine(
    platform: str, head: ModelRecord, reason: str
) -> None:
    """On a Mac, a model that was not converted read "Core ML needs macOS"."""
    found = examine(replace(evidence(head), environment=environment(platform=platform)))
    on_a_mac = [
        each for each in found if each.check in {"coreml-parity", "latency", "footprint", "placement"}
    ]
    assert {each.message for each in on_a_mac} == {reason}
    assert {each.status for each in on_a_mac} == {Status.SKIPPED}


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (NOTHING, "the Record has no measurement of the source and no problem that explains it."),
        ({"source": None}, "the Record has no measurement of the source and no problem that explains it."),
        ({"conversion": None}, "the Record holds no conversion and no problem that explains it."),
        ({"package": None}, "the Record holds no package and no problem that explains it."),
        (
            {"package": None, "conversion": conversion(status="not-needed")},
            "the Record holds no package and no problem that explains it.",
        ),
    ],
)
def test_a_record_that_lost_a_part_without_a_reason_fails(lost: dict[str, Any], message: str) -> None:
    findings = examine(evidence(model_record(**lost)))
    assert next(finding.message for finding in findings if finding.status is Status.FAIL) == message


def test_a_problem_fails_with_its_own_way_out() -> None:
    source, *others = examine(evidence(model_record(**NOTHING, problem=PROBLEM)))
    assert (source.check, source.status, source.subject) == ("source", Status.FAIL, "source-error")
    assert (source.message, source.hint) == (PROBLEM.message, PROBLEM.hint)
    assert source.details == PROBLEM.log_tail
    assert {finding.status for finding in others} == {Status.UNSURE, Status.SKIPPED}
    assert {each.message for each in others if each.status is Status.UNSURE} == {LOST}


def test_what_was_measured_before_a_problem_is_still_judged() -> None:
    measured = model_record(precision=(), problem=PROBLEM)
    status = {finding.check: finding.status for finding in examine(evidence(measured))}
    assert status["parity"] is Status.PASS
    assert status["precision"] is Status.UNSURE
    assert status["size"] is Status.PASS
