"""What a connected iPhone said, held against the limits for that model of device."""

from typing import Any

import pytest

from coreml_gate.checks.on_device import limits_by_device, run
from coreml_gate.config import Limits, ModelConfig
from coreml_gate.record import ChildEnding, DeviceFacts, ModelRecord
from coreml_gate.verdict import Finding, Status
from tests.builders import comparison, model_config, model_record
from tests.checks.cases import evidence, only


def answered(**overrides: Any) -> DeviceFacts:
    defaults: dict[str, Any] = {
        "device": "iPhone 12",
        "product": "iPhone13,2",
        "system": "iOS 18.1 (22B83)",
        "units": "ALL",
        "package": "5f3a",
        "against_source": (comparison(candidate="core-ml", psnr=52.0),),
        "predict_ms": (3.0, 2.0, 9.0),
    }
    return DeviceFacts(**(defaults | overrides))


def limited(**limits: Any) -> ModelConfig:
    return model_config(
        devices=("iPhone 15 Pro", "iPhone 12"), limits=Limits.model_validate({"on-device": limits})
    )


def check(config: ModelConfig, *facts: DeviceFacts) -> tuple[Finding, ...]:
    return run(evidence(model_record(on_device=facts), config=config))


def test_a_device_that_agrees_and_is_fast_enough_passes_with_its_median() -> None:
    finding = only(check(limited(oldest={"max-ms": 4}), answered()))
    assert (finding.status, finding.value, finding.limit, finding.unit) == (Status.PASS, 3.0, 4.0, "ms")
    assert finding.message == "iPhone 12 ALL: PSNR 52.0 dB; a prediction takes 3 ms."
    assert finding.details[1] == "3 predictions: median 3 ms, 95 % within 9 ms"


def test_oldest_is_the_first_that_was_launched_and_a_limit_by_name_wins() -> None:
    by_oldest = limits_by_device(limited(oldest={"max-ms": 4}))
    assert {name: limits.max_ms for name, limits in by_oldest.items()} == {"iPhone 12": 4}
    both = limits_by_device(limited(**{"oldest": {"max-ms": 4}, "iPhone 12": {"max-ms": 9}}))
    assert {name: limits.max_ms for name, limits in both.items()} == {"iPhone 12": 9}


def test_too_slow_fails_with_the_limit_that_would_pass() -> None:
    finding = only(check(limited(oldest={"max-ms": 2.5}), answered()))
    assert finding.status is Status.FAIL
    assert "a prediction takes 3 ms, allowed 2.5 ms. Would pass with max-ms = 3" in finding.message


def test_a_wrong_answer_fails_whatever_it_took() -> None:
    wrong = answered(against_source=(comparison(candidate="core-ml", psnr=12.0),))
    finding = only(check(model_config(), wrong))
    assert finding.status is Status.FAIL
    assert "output `logits`: PSNR 12.0 dB in sample 0, minimum 30 dB" in finding.message


@pytest.mark.parametrize(
    ("phase", "status"), [("connect", Status.UNSURE), ("predict", Status.FAIL), ("time", Status.FAIL)]
)
def test_a_device_out_of_reach_proves_nothing_and_a_model_that_breaks_there_does(
    phase: str, status: Status
) -> None:
    ending = ChildEnding(how="crashed", phase=phase, message="killed by signal 6", log_tail=("last words",))
    finding = only(check(model_config(), answered(ending=ending, against_source=(), predict_ms=())))
    assert finding.status is status
    assert f"it crashed in phase {phase} (killed by signal 6)" in finding.message
    assert finding.details == ("last words",)


def test_a_limit_whose_device_was_not_there_is_unsure_and_nothing_asked_is_skipped() -> None:
    _, absent = check(limited(**{"iPhone 15 Pro": {"max-ms": 4}}), answered())
    assert absent.status is Status.UNSURE
    assert "`iPhone 15 Pro` has a limit but is not among the connected devices" in absent.message
    assert only(check(limited(oldest={"max-ms": 4}))).status is Status.SKIPPED


def test_a_package_that_coremltools_cannot_hand_over_is_skipped_with_the_reason() -> None:
    finding = only(check(model_config(), answered(skipped="input `image` is an image.", against_source=())))
    assert (finding.status, finding.message) == (Status.SKIPPED, "input `image` is an image.")


def test_no_model_without_a_device() -> None:
    assert ModelRecord(name="net").on_device == ()
