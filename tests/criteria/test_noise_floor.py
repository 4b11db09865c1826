"""No difference below a small multiple of the source's own rounding is a fault, for any rule."""

import pytest

from coreml_gate.checks import coreml_parity, parity, precision
from coreml_gate.config.limits import ParityLimits, PrecisionLimits
from coreml_gate.criteria import has_parity, keeps_precision, least_psnr
from coreml_gate.record import FLOOR_TIMES, CoreMlRun, NoiseFloor, TopOne
from coreml_gate.verdict import Status
from tests.builders import comparison, model_record, precision_comparison, source
from tests.checks import core_ml
from tests.checks.cases import evidence, only

NOISE = {"max_reference": 3e-8, "floor": 3e-8}


@pytest.mark.parametrize(
    ("error", "floor", "passes"),
    [(4e-4, 0.0, True), (5e-4, 0.0, False), (5e-4, 1e-4, False), (5e-4, 1.3e-4, True), (0.4, 0.1, True)],
)
def test_parity_allows_the_limit_or_the_floor(error: float, floor: float, passes: bool) -> None:
    compared = comparison(max_abs_error=error, floor=floor, max_reference=4.0)
    assert has_parity((compared,), ParityLimits()) is passes


def test_a_difference_within_the_floor_is_said_to_be_one() -> None:
    within = comparison(max_abs_error=5e-4, floor=1.3e-4)
    finding = only(parity.run(evidence(model_record(parity=(within,)))))
    assert finding.status is Status.PASS
    assert "allowed 0.00052 (4 times the source's own float32 rounding, 0.00013)." in finding.message


def test_an_output_that_is_zero_but_for_rounding_is_compared_with_what_flows_into_it() -> None:
    noise = comparison(max_abs_error=1e-6, **NOISE)
    assert noise.is_noise
    assert noise.scale == pytest.approx(0.503, rel=1e-2)
    finding = only(parity.run(evidence(model_record(parity=(noise,)))))
    assert finding.status is Status.PASS
    assert finding.message.endswith("what flows into an output that is zero but for rounding, about 0.503).")
    wrong = comparison(max_abs_error=0.1, **NOISE)
    assert only(parity.run(evidence(model_record(parity=(wrong,))))).status is Status.FAIL


def test_half_precision_of_such_an_output_is_no_fault_and_a_real_one_is() -> None:
    top = TopOne(rows=1, disagreements=1, least_gap=0.3, worst_gap=0.3)
    noise = precision_comparison(psnr=-70.0, cosine=0.1, top1=top, max_abs_error=1e-4, **NOISE)
    assert keeps_precision((noise,), PrecisionLimits())
    assert least_psnr((noise,)) == pytest.approx(74.5, abs=0.1)
    assert only(precision.run(evidence(model_record(precision=(noise,))))).status is Status.PASS
    broken = precision_comparison(psnr=-140.0, max_abs_error=0.3, **NOISE)
    assert not keeps_precision((broken,), PrecisionLimits())


def test_an_ill_conditioned_output_that_is_not_zero_is_still_held_to_its_psnr() -> None:
    deep = precision_comparison(psnr=20.0, max_abs_error=0.3, max_reference=4.0, floor=1e-3)
    assert not keeps_precision((deep,), PrecisionLimits())


def test_core_ml_is_held_to_the_same_floor() -> None:
    noise = comparison(candidate="core-ml", psnr=-70.0, max_abs_error=1e-4, max_reference=3e-8, cosine=0.0)
    run = CoreMlRun(units="CPU_ONLY", against_source=(noise,))
    facts = core_ml.core_ml(runs=(run,), runtime_against_source=(noise,))
    blamed = only(coreml_parity.run(evidence(model_record(core_ml=facts))))
    assert blamed.status is Status.FAIL
    known = source(floors=(NoiseFloor(output="logits", error=3e-8),))
    assert only(coreml_parity.run(evidence(model_record(core_ml=facts, source=known)))).status is Status.PASS


def test_without_float64_the_details_say_so() -> None:
    captured = source(no_float64="a captured program computes in the types it was captured with.")
    head = model_record(source=captured, parity=(comparison(max_abs_error=1.0),))
    details = only(parity.run(evidence(head))).details
    assert any(
        line.startswith("the source's own rounding is unknown, because it could not run") for line in details
    )


def test_the_floor_is_a_small_multiple() -> None:
    assert 2 <= FLOOR_TIMES <= 8
