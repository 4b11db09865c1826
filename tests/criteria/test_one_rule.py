"""Checks, child and diagnosis hold every Comparison to the same rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreml_gate.checks import adversarial, parity, precision
from coreml_gate.config.limits import ParityLimits, PrecisionLimits
from coreml_gate.criteria import failing_error, has_parity, keeps_precision, least_psnr
from coreml_gate.record import Comparison, PerturbedSample, TopOne
from coreml_gate.verdict import Status
from tests.builders import comparison, model_record, precision_comparison
from tests.checks.cases import evidence, limited

near_limits = st.sampled_from((0.0, 5e-5, 1e-4, 1.0001e-4, 0.009, 0.01, 0.011, 0.05, 0.051, 0.3, 1.0))
decibels = st.none() | st.sampled_from((0.0, 29.99, 30.0, 39.99, 40.0, 60.0, 120.0))
cosines = st.none() | st.sampled_from((-1.0, 0.9, 0.9969, 0.997, 1.0))
best_classes = st.none() | st.builds(
    TopOne, rows=st.just(4), disagreements=st.integers(0, 4), least_gap=near_limits, worst_gap=near_limits
)
SAMPLES = st.lists(
    st.fixed_dictionaries(
        {
            "output": st.sampled_from(("logits", "mask")),
            "sample": st.integers(0, 3),
            "candidate_shape": st.sampled_from(((1, 10), (1, 10), (1, 10), (10,))),
            "nonfinite_mismatches": st.sampled_from((0, 0, 0, 2)),
            "unequal": st.sampled_from((None, None, 0, 3)),
            "max_abs_error": near_limits,
            "max_reference": st.sampled_from((0.0, 1.0, 4.0)),
            "psnr": decibels,
            "cosine": cosines,
            "top1": best_classes,
        }
    ),
    min_size=1,
    max_size=5,
)


@given(SAMPLES, st.none() | st.just(60.0), st.none() | st.just(0.999))
def test_the_parity_check_fails_exactly_where_the_child_looks_for_the_fault(
    samples: list[dict[str, Any]], psnr: float | None, cosine: float | None
) -> None:
    compared = tuple(comparison(**figures) for figures in samples)
    config = limited(parity={"psnr": psnr or False, "cosine": cosine or False})
    limits = config.limits.parity
    findings = parity.run(evidence(model_record(parity=compared), config=config))
    failed = {finding.subject for finding in findings if finding.status is Status.FAIL}
    assert failed == {each.output for each in compared if not has_parity((each,), limits)}
    assert (failing_error(compared, limits) > 0) == bool(failed)


@given(SAMPLES)
def test_the_precision_check_passes_exactly_where_the_child_looks_no_further(
    samples: list[dict[str, Any]],
) -> None:
    compared = tuple(precision_comparison(**figures) for figures in samples)
    findings = precision.run(evidence(model_record(precision=compared)))
    kept = {finding.subject for finding in findings if finding.status is Status.PASS}
    outputs = {each.output for each in compared}
    broken = {each.output for each in compared if not keeps_precision((each,), PrecisionLimits())}
    assert kept == outputs - broken


@given(SAMPLES)
def test_a_perturbed_sample_is_held_to_the_rule_of_parity(samples: list[dict[str, Any]]) -> None:
    compared = tuple(comparison(**figures) for figures in samples)
    head = model_record(adversarial=(PerturbedSample(name="zeros", comparisons=compared),))
    (finding,) = adversarial.run(evidence(head))
    assert (finding.status is Status.PASS) == has_parity(compared, ParityLimits())


CHANGED = TopOne(rows=4, disagreements=1, least_gap=0.2, worst_gap=0.3, row=2)


def test_a_best_class_that_changes_is_no_passing_perturbed_sample() -> None:
    differing = comparison(top1=CHANGED)
    head = model_record(
        parity=(differing,), adversarial=(PerturbedSample(name="zeros", comparisons=(comparison(),)),)
    )
    (finding,) = adversarial.run(evidence(head))
    assert finding.status is Status.SKIPPED
    assert finding.message == "the unchanged samples already differ: see parity."


def test_a_best_class_that_changes_under_a_perturbed_sample_warns_without_a_number_of_the_sample() -> None:
    head = model_record(adversarial=(PerturbedSample(name="zeros", comparisons=(comparison(top1=CHANGED),)),))
    (finding,) = adversarial.run(evidence(head))
    assert finding.status is Status.WARN
    assert finding.message.startswith(
        "with zeros, output `logits`: the best class changes in 1 of 4 rows, in row 2 although"
    )


@pytest.mark.parametrize(
    ("figures", "error"),
    [
        ({}, 0.0),
        ({"max_abs_error": 1.0}, 0.25),
        ({"top1": CHANGED, "max_abs_error": 1e-4}, 2.5e-5),
        ({"nonfinite_mismatches": 1}, float("inf")),
        ({"unequal": 1}, float("inf")),
        ({"candidate_shape": (10,)}, float("inf")),
    ],
)
def test_the_error_that_operations_are_held_to(figures: dict[str, Any], error: float) -> None:
    assert failing_error((comparison(**figures),), ParityLimits()) == error


def test_a_misplaced_nan_is_no_decibel() -> None:
    sound: tuple[Comparison, ...] = (precision_comparison(psnr=80.0), precision_comparison(psnr=None))
    assert least_psnr(sound) == 80.0
    assert least_psnr((*sound, precision_comparison(psnr=90.0, nonfinite_mismatches=1))) == 0.0
    assert least_psnr((precision_comparison(psnr=None),)) is None
