"""LiteRT beside the package: a finding where it was asked for, and never a failure."""

import pytest

from coreml_gate.checks.litert import run
from coreml_gate.record import LiteRtFacts, MetricValue
from coreml_gate.verdict import Status
from tests.builders import comparison, model_record
from tests.checks.cases import evidence, only


def test_what_it_made_stands_beside_the_package() -> None:
    facts = LiteRtFacts(
        status="measured",
        versions="litert-torch 1.0",
        size_bytes=37_000_000,
        against_source=(comparison(candidate="litert", psnr=131.4),),
        metrics=(MetricValue(name="accuracy", side="litert", value=0.9944),),
    )
    finding = only(run(evidence(model_record(litert=facts))))
    assert (finding.status, finding.value, finding.unit) == (Status.PASS, 37.0, "MB")
    assert finding.message == (
        "LiteRT: float32 file of 37.0 MB, the package 20.0 MB; PSNR 131.4 dB against the source; "
        "accuracy 0.9944."
    )


@pytest.mark.parametrize(
    ("status", "expected"), [("not-installed", Status.SKIPPED), ("failed", Status.UNSURE)]
)
def test_without_an_answer_its_reason_is_told_and_nothing_fails(status: str, expected: Status) -> None:
    facts = LiteRtFacts.model_validate({"status": status, "message": "no lowering for aten.foo."})
    finding = only(run(evidence(model_record(litert=facts))))
    assert finding.status is expected
    assert "no lowering for aten.foo." in finding.message


def test_nobody_asked_nothing_is_said() -> None:
    assert run(evidence(model_record())) == ()
