from typing import Any

import pytest

from coreml_gate.checks import size
from coreml_gate.verdict import Finding, Status
from tests.builders import MB, model_record, package
from tests.checks.cases import NOT_CONVERTED, evidence, limited, only


def run(
    head_mb: float, base_mb: float | None = None, versions: dict[str, str] | None = None, **limits: Any
) -> Finding:
    head = model_record(package=package(total_bytes=int(head_mb * MB)))
    base = None if base_mb is None else model_record(package=package(total_bytes=int(base_mb * MB)))
    return only(size.run(evidence(head, base, limited(size=limits), **(versions or {}))))


def test_pass_without_a_baseline() -> None:
    finding = run(20)
    assert finding.message == "package: 20.0 MB (weights 19.0 MB, program 1.00 MB), allowed 200 MB."
    assert (finding.status, finding.value, finding.base, finding.limit, finding.unit) == (
        Status.PASS,
        20.0,
        None,
        200.0,
        "MB",
    )


def test_pass_against_a_baseline() -> None:
    finding = run(22, 20)
    assert finding.status is Status.PASS
    assert finding.message == (
        "package: 22.0 MB (weights 19.0 MB, program 1.00 MB), 20.0 MB in the baseline, allowed 22 MB."
    )
    assert finding.base == 20.0


def test_too_large() -> None:
    finding = run(21.34, max_mb=20)
    assert finding.status is Status.FAIL
    assert finding.message == (
        "package: 21.3 MB (weights 19.0 MB, program 1.00 MB), allowed 20 MB. Would pass with max-mb = 21.34."
    )
    assert run(21.34, max_mb=21.34).status is Status.PASS


def test_grown_too_much() -> None:
    finding = run(22.5, 20)
    assert finding.status is Status.FAIL
    assert finding.message == (
        "package: 22.5 MB (weights 19.0 MB, program 1.00 MB), 1.125 times the baseline's 20.0 MB, "
        "allowed 1.1 times. Would pass with max-ratio = 1.13."
    )
    assert finding.limit == pytest.approx(22.0)


def test_growth_between_toolchains_is_unsure_and_still_shown() -> None:
    finding = run(22.5, 20, {"torch": "2.7.0", "coremltools": "8.3"})
    assert finding.status is Status.UNSURE
    assert (finding.value, finding.base) == (22.5, 20.0)
    assert "allowed 1.1 times, which the other toolchain may explain." in finding.message
    assert finding.details[:2] == (
        "the baseline was measured with coremltools 8.3, the head with 9.0",
        "the baseline was measured with torch 2.7.0, the head with 2.13.0",
    )


@pytest.mark.attack("Records from elsewhere")
def test_a_baseline_by_another_version_of_the_gate_proves_no_growth() -> None:
    finding = run(22.5, 20, {"coreml_gate": "0.0.1"})
    assert finding.status is Status.UNSURE
    assert finding.details[0].startswith("the baseline was measured with coreml-gate 0.0.1, the head with ")


@pytest.mark.attack("foreign text")
def test_a_size_just_above_its_limit_does_not_look_like_it() -> None:
    """It failed with `package: 25.0 MB (...), allowed 25 MB`."""
    message = run(25.0004, max_mb=25).message
    assert "more exactly 25.0004 MB, allowed 25 MB." in message
    assert "1.10004 times the baseline's 20.0 MB, allowed 1.1 times" in run(22.0008, 20).message


def test_both_limits_broken() -> None:
    finding = run(30, 20, max_mb=25)
    assert "allowed 25 MB" in finding.message
    assert finding.details[0].startswith("also: 1.5 times the baseline's")


def test_no_limit_is_asked_for() -> None:
    finding = run(5000, 20, max_mb=None, max_ratio=None)
    assert (finding.status, finding.limit) == (Status.PASS, None)
    assert finding.message.endswith("20.0 MB in the baseline.")


def test_an_empty_baseline_has_no_ratio() -> None:
    assert run(20, 0).status is Status.PASS


def test_skipped() -> None:
    assert only(size.run(evidence(NOT_CONVERTED))).message == "not measured: an earlier step failed."
    assert run(20, None).status is Status.PASS
    no_base_package = only(size.run(evidence(model_record(), NOT_CONVERTED)))
    assert (no_base_package.status, no_base_package.base) == (Status.PASS, None)


def test_growth_of_a_tiny_package_is_not_asked_about() -> None:
    assert run(0.99, 0.1).status is Status.PASS
    assert run(0.99, 0.1, ratio_from_mb=0.5).status is Status.FAIL
    assert run(0.99, 0.1).limit == 200.0
