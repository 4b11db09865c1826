"""Which operations left the Neural Engine, and what stays open?"""

from typing import Any

import pytest

from coreml_gate.checks.placement import run as check
from coreml_gate.record import CoreMlFacts, OffEngine, Placement
from coreml_gate.verdict import Finding, Status
from tests.builders import model_config, model_record
from tests.checks.cases import evidence, only
from tests.checks.core_ml import core_ml, ended, machine, placement

PREDICTED = Placement(
    origin="prediction",
    units="ALL",
    devices={"unknown": 10},
    off_engine=(
        OffEngine(
            operation="g", operation_type="gather", device="unknown", reason="gather does not run on it (url)"
        ),
    ),
)


def finding(facts: CoreMlFacts | None, **config: Any) -> Finding:
    head = model_record(core_ml=facts, predicted_placement=PREDICTED)
    return only(check(evidence(head, config=model_config(**config))))


def test_an_operation_that_left_the_neural_engine_is_a_warning_with_its_name() -> None:
    found = finding(core_ml(placement=placement(off=2), base_placement=placement(off=1)))
    assert (found.status, found.value, found.base) == (Status.WARN, 0.8, 0.9)
    assert "8 of 10 operations run on the Neural Engine in 5 segments" in found.message
    assert "moved off it since the baseline: `gather_0` (gather) on CPU" in found.message


def test_what_was_off_before_is_no_news() -> None:
    found = finding(core_ml(placement=placement(off=1), base_placement=placement(off=1)))
    assert found.status is Status.PASS
    assert "head: 9 on NE, 1 on CPU; segments 3; no cost estimate" in found.details


def test_a_cost_is_shown_where_core_ml_gives_one() -> None:
    found = finding(core_ml(placement=placement(cost={"NE": 0.9, "CPU": 0.1})))
    assert "estimated cost: NE 0.9, CPU 0.1" in found.details[0]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (
            placement(devices={"NE": 4, "unknown": 6}, segments=None),
            "Core ML reports no device for 6 of 10 operations",
        ),
        (placement(devices={}), "Core ML reported no operation"),
        (
            placement(devices={}, ending=ended(phase="plan").ending),
            "crashed in phase plan (killed by signal 6",
        ),
    ],
)
def test_what_core_ml_leaves_open_is_unsure_and_never_zero(head: Placement, words: str) -> None:
    found = finding(core_ml(placement=head, base_placement=placement()))
    assert (found.status, found.value) == (Status.UNSURE, None)
    assert words in found.message


@pytest.mark.parametrize(
    ("base", "words"),
    [
        (
            placement(devices={}, ending=ended(phase="plan").ending),
            "crashed in phase plan (killed by signal 6",
        ),
        (placement(devices={"NE": 9, "unknown": 1}), "reports no device for 1 of 10 operations"),
    ],
)
def test_a_baseline_without_a_plan_is_no_proof_that_nothing_left(base: Placement, words: str) -> None:
    found = finding(core_ml(placement=placement(off=1), base_placement=base))
    assert found.status is Status.UNSURE
    assert "no comparison with the baseline: " in found.message
    assert words in found.message
    all_on_it = finding(core_ml(placement=placement(), base_placement=base))
    assert (all_on_it.status, all_on_it.value, all_on_it.base) == (Status.PASS, 1.0, None)


def test_a_virtual_machine_has_no_neural_engine_to_leave() -> None:
    facts = core_ml(placement=placement(devices={"CPU": 10}), machine=machine(virtual=True))
    assert finding(facts).status is Status.UNSURE


def test_off_a_mac_the_prediction_is_shown_as_one_and_never_judged() -> None:
    found = finding(None)
    assert (found.status, found.value) == (Status.SKIPPED, None)
    assert found.message == (
        "not run: Core ML needs macOS. Predicted by documented rules: 1 of 10 operations stay off the Neural "
        "Engine."
    )
    assert found.details == ("`g` (gather): gather does not run on it (url)",)


def test_a_mac_that_did_not_try_the_neural_engine_says_so() -> None:
    assert "`core-ml-units` does not include the Neural Engine" in finding(core_ml()).message


def test_a_model_that_may_not_use_it_is_not_asked() -> None:
    assert finding(core_ml(placement=placement()), compute_units="CPU_AND_GPU").status is Status.SKIPPED
