from typing import Any

import pytest

from coreml_gate.checks import hazards, precision
from coreml_gate.config import Config
from coreml_gate.frozen import changed
from coreml_gate.gate.judge import judge
from coreml_gate.github.publishing.annotations import annotations_of
from coreml_gate.record import Diagnosis, Hazard, Repair, Rewrite
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.verdict import BaselineFacts, Status
from tests.builders import model_config, model_record, precision_comparison, record
from tests.checks.cases import NOT_CONVERTED, evidence, only


def hazard(**overrides: Any) -> Hazard:
    """A square that reaches 41,200."""
    defaults: dict[str, Any] = {
        "kind": "overflow",
        "operation": "pow_3",
        "operation_type": "pow",
        "module": "RMSNorm",
        "place": "models/net.py:12",
        "reaches": 41_200.0,
        "bound": 65_504.0,
    }
    return Hazard(**(defaults | overrides))


def diagnosed(*found: Hazard, **parts: Any) -> Any:
    return model_record(diagnosis=Diagnosis(hazards=found, **parts))


def test_what_is_near_warns_with_its_headroom() -> None:
    finding = only(hazards.run(evidence(diagnosed(hazard()))))
    assert finding.status is Status.WARN
    assert finding.message == (
        "`pow_3` (pow of `RMSNorm`, models/net.py:12) reaches 4.12e4, FP16 max is 65,504: "
        "1.6x below overflow."
    )
    assert (finding.file, finding.line) == ("models/net.py", 12)
    assert finding.value == pytest.approx(65_504 / 41_200)


def test_what_bites_fails_with_the_rewrite_that_is_better() -> None:
    rewrite = Rewrite(title="a scaled norm", operation="pow_3", code=("a = 1  # first", "b = 2  # then"))
    found = diagnosed(hazard(reaches=2e6, bites_in="fp16"), hazard(operation="exp"), rewrites=(rewrite,))
    bitten, near = hazards.run(evidence(found))
    assert (bitten.status, near.status) == (Status.FAIL, Status.WARN)
    assert bitten.hint == "better than FP32: a scaled norm: `b = 2`."
    assert "    a = 1  # first" in bitten.details


def test_the_neural_engine_estimate_alone_never_fails() -> None:
    found = diagnosed(hazard(kind="cliff", operation_type="softplus", bites_in="neural-engine"))
    finding = only(hazards.run(evidence(found)))
    assert finding.status is Status.WARN
    assert "Neural Engine estimate only" in finding.message


def test_a_repair_for_the_neural_engine_is_offered_as_that() -> None:
    engine = changed(REPAIR, mode="neural-engine", patterns=("Net/linear",), psnr=55.0)
    drift = hazard(kind="accumulation", operation_type="linear", bites_in="neural-engine", reaches=0.03)
    head = model_record(
        precision=(precision_comparison(psnr=12.0),), diagnosis=Diagnosis(hazards=(drift,), repair=engine)
    )
    finding = only(hazards.run(evidence(head)))
    assert (finding.status, finding.patch) == (Status.WARN, ())
    assert finding.hint == (
        'for the Neural Engine only: set `keep-fp32 = ["Net/linear"]` for this model. Verified by converting '
        "again: worst sample 55.0 dB in the Neural Engine estimate. 4 of 42 operations run in FP32 "
        "(+7 casts, +3,254 bytes)."
    )
    assert '    keep = {"pow_1"}' in finding.details
    failing = only(precision.run(evidence(head)))
    assert "keep-fp32" not in failing.hint
    assert failing.patch == ()
    near = only(hazards.run(evidence(diagnosed(hazard(), repair=engine))))
    assert near.hint == ""


def test_against_the_baseline_new_ones_come_first_whatever_their_numbers() -> None:
    old, new = hazard(operation="pow_9"), hazard(operation="exp_1", operation_type="exp", module="Head")
    finding = only(hazards.run(evidence(diagnosed(old, new), diagnosed(hazard(reaches=30_000.0)))))
    assert finding.message.startswith("new in this change: `exp_1`")
    assert finding.details[0].startswith("`pow_9`")
    same = only(hazards.run(evidence(diagnosed(old), diagnosed(hazard(reaches=30_000.0)))))
    assert same.message.endswith("1.6x below overflow (baseline: 3e4).")
    assert same.base == pytest.approx(65_504 / 30_000)


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (diagnosed(), Status.PASS),
        (diagnosed(note="it crashed."), Status.UNSURE),
        (model_record(), Status.SKIPPED),
        (NOT_CONVERTED, Status.UNSURE),
    ],
)
def test_nothing_found_is_told_from_nothing_asked(record: Any, status: Status) -> None:
    assert only(hazards.run(evidence(record))).status is status


def test_beside_hazards_it_says_what_was_left_out() -> None:
    beyond = diagnosed(hazard(reaches=1e6), note="no census.")
    warned, left_out = hazards.run(evidence(beyond))
    assert warned.message.endswith("FP16 max is 65,504; its effect on the outputs was not measured.")
    assert (left_out.status, left_out.message) == (Status.SKIPPED, "no census.")


def test_without_a_hazard_what_was_looked_at_passes_and_the_rest_is_skipped() -> None:
    head = diagnosed(note="no census.", neural_engine=(precision_comparison(),))
    passed, left_out = hazards.run(evidence(head))
    assert (passed.status, left_out.status) == (Status.PASS, Status.SKIPPED)
    assert passed.message.startswith("no operation that affects an output comes near 65,504")
    assert left_out.message == "no census."


def test_a_float32_model_is_not_asked() -> None:
    finding = only(hazards.run(evidence(model_record(), config=model_config(precision="float32"))))
    assert finding.message == 'precision = "float32": nothing is computed in FP16.'


REPAIR = Repair(
    outcome="found",
    operations=("pow_1",),
    variables=("pow_1",),
    patterns=("RMSNorm/pow",),
    psnr=74.06,
    half_operations=42,
    kept=4,
    casts_added=7,
    bytes_added=3254,
    conversions=1,
)


def test_a_precision_failure_prints_the_patch_and_its_cost() -> None:
    failing = (precision_comparison(psnr=12.0),)
    biting = hazard(reaches=1e6, bites_in="fp16")
    head = model_record(precision=failing, diagnosis=Diagnosis(hazards=(biting,), repair=REPAIR))
    finding = only(precision.run(evidence(head)))
    assert (finding.file, finding.line) == ("models/net.py", 12)
    assert finding.hint == (
        'set `keep-fp32 = ["RMSNorm/pow"]` for this model. Verified by converting again: worst sample '
        "74.1 dB. 4 of 42 operations run in FP32 (+7 casts, +3,254 bytes)."
    )
    assert '    keep = {"pow_1"}' in finding.details
    assert finding.patch == (
        "[[model]]",
        'name = "digits"',
        'keep-fp32 = ["RMSNorm/pow"]  # the line to add',
    )


def test_a_hazard_that_did_not_bite_reaches_the_comment_with_its_change_against_base() -> None:
    head = record(diagnosed(hazard()))
    base = record(diagnosed(hazard(reaches=30_000.0)))
    origin = BaselineFacts(origin="rebuilt in this run", commit="0f9e8d7", present=True)
    told = judge(Config(model=(model_config(),)), head, base, origin)
    text = FORMATS["markdown"](told, ReportOptions())
    assert (told.verdict, told.exit_code) == (Status.WARN, 0)
    assert "**hazards**: `pow_3` (pow of `RMSNorm`, models/net.py:12) reaches 4.12e4" in text
    assert "1.6x below overflow (baseline: 3e4)." in text
    (annotation,) = annotations_of(told)
    assert (annotation.level, annotation.path, annotation.line) == ("warning", "models/net.py", 12)
    fresh = judge(Config(model=(model_config(),)), head, record(diagnosed()), origin)
    assert "**hazards**: new in this change: `pow_3`" in FORMATS["markdown"](fresh, ReportOptions())


@pytest.mark.parametrize(
    ("outcome", "says"), [("spread", "the error is spread"), ("not-half", "FP16 is not the cause")]
)
def test_without_a_repair_it_says_why(outcome: Any, says: str) -> None:
    failing = (precision_comparison(psnr=12.0),)
    head = model_record(precision=failing, diagnosis=Diagnosis(repair=Repair(outcome=outcome)))
    assert says in only(precision.run(evidence(head))).hint


@pytest.mark.parametrize(
    ("kind", "reaches", "bound", "says"),
    [
        ("cancellation", 0.5, 0.001, "cancels: an error of 0.1 % in its inputs becomes 50 % in its result"),
        ("inherited", 4.4, 0.001, "has an error of 440 %, its inputs one of 0.1 %"),
        ("inherited", 1e9, 0.001, "has an error of more than 1000 %, its inputs one of 0.1 %"),
        ("vanishing", 0.0, 5.96e-08, "gives values below 5.96e-8, which are 0 in FP16"),
        (
            "vanishing",
            0.0,
            2.0**-14,
            "values below 6.1e-5, of which FP16 keeps few digits",
        ),
        ("rounding", 1.0, 0.01, "loses 100 % of its result to rounding"),
    ],
)
def test_each_reason_is_told_with_its_figures(kind: Any, reaches: float, bound: float, says: str) -> None:
    found = hazard(kind=kind, reaches=reaches, bound=bound, bites_in="fp16")

    assert says in only(hazards.run(evidence(diagnosed(found)))).message
