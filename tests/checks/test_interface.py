from typing import Any

import pytest

from coreml_gate.checks import interface
from coreml_gate.frozen import changed
from coreml_gate.record import PackageFacts
from coreml_gate.verdict import Finding, Status
from tests.builders import feature, model_record, package
from tests.checks.cases import NOT_CONVERTED, evidence, limited, only

IMAGE = feature()
MASK = feature(name="mask", dtype="int32", shape=(1, 32))
LOGITS = feature(name="logits", shape=(1, 10))


def run(base: PackageFacts, head: PackageFacts, **limits: Any) -> tuple[Finding, ...]:
    return interface.run(
        evidence(model_record(package=head), model_record(package=base), limited(interface=limits))
    )


def test_unchanged() -> None:
    finding = only(run(package(), package(total_bytes=1)))
    assert (finding.status, finding.message) == (
        Status.PASS,
        "interface: 1 input, 1 output, as in the baseline.",
    )


BREAKING: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"outputs": (LOGITS,)}, {"outputs": ()}, "output `logits` is gone"),
    (
        {"outputs": (LOGITS,)},
        {"outputs": (feature(name="scores", shape=(1, 10)),)},
        "output `logits` is now named `scores`",
    ),
    ({"inputs": (IMAGE,)}, {"inputs": (IMAGE, MASK)}, "input `mask` is new and required"),
    ({"inputs": (IMAGE, MASK)}, {"inputs": (IMAGE,)}, "input `mask` is gone"),
    (
        {"inputs": (IMAGE,)},
        {"inputs": (feature(shape=(1, 3, 64, 64)),)},
        "input `image`: shape (1, 3, 32, 32) becomes (1, 3, 64, 64)",
    ),
    (
        {"inputs": (IMAGE,)},
        {"inputs": (feature(dtype="float16"),)},
        "input `image`: dtype float32 becomes float16",
    ),
    ({"inputs": (IMAGE,)}, {"inputs": (feature(kind="image"),)}, "input `image`: kind array becomes image"),
    (
        {"inputs": (feature(flexibility="[1..8, 3, 32, 32]"),)},
        {"inputs": (IMAGE,)},
        "input `image`: shapes [1..8, 3, 32, 32] become shapes (1, 3, 32, 32)",
    ),
    ({"inputs": (feature(optional=True),)}, {"inputs": (IMAGE,)}, "input `image` is now required"),
    ({}, {"states": (feature(name="cache", kind="state"),)}, "state `cache` is new and required"),
    (
        {"deployment_target": "iOS17"},
        {"deployment_target": "iOS18"},
        "deployment target iOS17 becomes iOS18",
    ),
    (
        {"deployment_target": "iOS17"},
        {"deployment_target": "specification version 99"},
        "deployment target iOS17 becomes specification version 99",
    ),
]


@pytest.mark.parametrize(("base", "head", "text"), BREAKING)
def test_breaking_changes_fail_or_warn_as_configured(
    base: dict[str, Any], head: dict[str, Any], text: str
) -> None:
    failure = only(run(package(**base), package(**head)))
    assert failure.status is Status.FAIL
    assert failure.message == f"interface: 1 change that can break callers: {text}."
    assert failure.details == (text,)
    assert "on-breaking-change" in failure.hint
    assert only(run(package(**base), package(**head), on_breaking_change="warn")).status is Status.WARN


HARMLESS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"outputs": (LOGITS,)},
        {"outputs": (LOGITS, feature(name="features"))},
        "output `features` is new",
    ),
    (
        {"inputs": (IMAGE,)},
        {"inputs": (IMAGE, feature(name="mask", optional=True))},
        "input `mask` is new",
    ),
    ({"inputs": (IMAGE,)}, {"inputs": (feature(optional=True),)}, "input `image` is now optional"),
    (
        {"inputs": (IMAGE,)},
        {"inputs": (feature(flexibility="[1..8, 3, 32, 32]"),)},
        "input `image`: shapes (1, 3, 32, 32) become shapes [1..8, 3, 32, 32]",
    ),
    ({"deployment_target": "iOS18"}, {"deployment_target": "iOS16"}, "deployment target iOS18 becomes iOS16"),
]


@pytest.mark.parametrize(("base", "head", "text"), HARMLESS)
def test_changes_that_no_caller_notices_warn(base: dict[str, Any], head: dict[str, Any], text: str) -> None:
    finding = only(run(package(**base), package(**head)))
    assert finding.status is Status.WARN
    assert finding.message == f"interface: 1 change that callers are not affected by: {text}."
    assert finding.hint == ""


def test_a_swap_of_two_names_is_no_rename() -> None:
    one, other = feature(name="a"), feature(name="b")
    assert only(run(package(inputs=(one, other)), package(inputs=(other, one)))).status is Status.PASS


def test_another_name_and_type_is_a_removal_and_an_addition() -> None:
    findings = run(package(), package(outputs=(feature(name="scores", shape=(1, 11)),)))
    assert [finding.details for finding in findings] == [
        ("output `logits` is gone",),
        ("output `scores` is new",),
    ]


def test_another_toolchain_excuses_nothing() -> None:
    head, base = model_record(package=package(outputs=())), model_record()
    finding = only(interface.run(evidence(head, base, torch="2.7.0")))
    assert finding.status is Status.FAIL
    assert finding.details[-1] == "the baseline was measured with torch 2.7.0, the head with 2.13.0"


def test_many_changes_are_one_finding() -> None:
    inputs = tuple(feature(name=f"x{index}") for index in range(5))
    renamed = tuple(feature(name=f"y{index}") for index in range(5))
    finding = only(run(package(inputs=inputs), package(inputs=renamed)))
    assert "5 changes that can break callers" in finding.message
    assert finding.message.endswith("; and 2 more.")
    assert len(finding.details) == 5


def test_skipped() -> None:
    assert only(interface.run(evidence())).message == "no baseline to compare with."
    assert only(interface.run(evidence(model_record(), NOT_CONVERTED))).status is Status.SKIPPED
    assert (
        only(interface.run(evidence(NOT_CONVERTED, model_record()))).message
        == "not measured: an earlier step failed."
    )


def test_the_way_out_is_that_of_the_change() -> None:
    raised = only(run(package(deployment_target="iOS16"), package(deployment_target="iOS18")))
    assert "or keep `deployment-target`;" in raised.hint
    lost = only(run(package(inputs=(feature(flexibility="[1..8, 3, 32, 32]"),)), package(outputs=())))
    assert "or keep the shapes and types" in lost.hint
    assert "and the names (" in lost.hint


def test_a_shape_that_followed_from_the_inputs_is_called_open() -> None:
    finding = only(run(package(outputs=(changed(LOGITS, shape=()),)), package(outputs=(LOGITS,))))
    assert "output `logits`: shape open becomes (1, 10)" in finding.message
