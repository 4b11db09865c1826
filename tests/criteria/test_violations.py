"""Each criterion looks at all samples, and names the worst with its number, its place and its limit."""

import math
from typing import Any

import pytest

from coreml_gate.config.limits import ParityLimits, PrecisionLimits
from coreml_gate.criteria import (
    engine_violations,
    figure_violations,
    gravest_first,
    parity_violations,
    precision_violations,
    violations,
)
from coreml_gate.criteria.violations import MOST_LOOSENED, Violation, amplitude_ratio, excess_growth
from coreml_gate.record import Comparison, ElementIndex, TopOne
from coreml_gate.verdict import Status
from tests.builders import comparison, precision_comparison


def at(*index: int, reference: Any = 4.0, candidate: Any = 5.0) -> ElementIndex:
    return ElementIndex(index=index, reference=reference, candidate=candidate)


def best(disagreements: int = 1, worst_gap: float = 0.3, row: int = 2, rows: int = 4) -> TopOne:
    return TopOne(rows=rows, disagreements=disagreements, least_gap=0.01, worst_gap=worst_gap, row=row)


def test_what_was_violated_comes_gravest_first_and_otherwise_in_its_order() -> None:
    found = gravest_first(
        (
            Violation("a", status=Status.UNSURE),
            None,
            Violation("b", status=Status.WARN),
            Violation("c"),
            Violation("d", status=Status.WARN),
        )
    )
    assert [each.message for each in found] == ["c", "b", "d", "a"]


@pytest.mark.parametrize(
    ("excess", "offered"), [(1.01, True), (MOST_LOOSENED, True), (2.01, False), (math.inf, False)]
)
def test_a_limit_is_offered_only_where_it_still_guards(excess: float, offered: bool) -> None:
    violation = Violation("m", passes_with="psnr = 29", excess=excess)
    assert violation.remedy == (" Would pass with psnr = 29." if offered else "")
    assert Violation("m", excess=1.0).remedy == ""


def test_how_far_a_figure_is_beyond_its_limit() -> None:
    assert excess_growth(1.3, 1.1) == pytest.approx(3.0)
    assert excess_growth(1.3, 1.0) == pytest.approx(1.3)
    assert amplitude_ratio(20.0) == 10.0
    assert amplitude_ratio(6.0206) == pytest.approx(2.0, rel=1e-4)


def test_shapes_that_differ_are_counted_and_the_first_is_named() -> None:
    group = (
        comparison(),
        comparison(sample=1, candidate_shape=(10,)),
        comparison(sample=2, candidate_shape=(5,)),
    )
    found = violations.shape(group)
    assert found is not None
    assert found.message == "shape (10,) in sample 1, the source gives (1, 10) (2 of 3 samples differ)"
    assert found.status is Status.FAIL
    assert violations.shape(group[:1]) is None


def test_nan_on_one_side_names_the_worst_sample_with_both_values() -> None:
    group = (
        comparison(sample=0, nonfinite_mismatches=1),
        comparison(sample=1, nonfinite_mismatches=3, nonfinite_place=at(0, 7, candidate="NaN")),
        comparison(sample=2, nonfinite_mismatches=9, candidate_shape=(10,)),
    )
    found = violations.nonfinite(group)
    assert found is not None
    assert found.message == (
        "3 of 10 elements are NaN or infinite on one side only or in another way, the first at (0, 7) of "
        "sample 1 (source 4, float32 package NaN)"
    )
    assert violations.nonfinite((comparison(),)) is None
    assert violations.nonfinite(group[2:]) is None, "what has another shape has no figures"


def test_integers_that_differ_are_written_in_full() -> None:
    place = at(3, reference=16777216.0, candidate=16777217.0)
    group = (
        comparison(sample=0, unequal=0),
        comparison(sample=1, unequal=2, max_abs_error=1.0, max_abs_place=place),
    )
    found = violations.unequal(group, Status.UNSURE)
    assert found is not None
    assert found.status is Status.UNSURE
    assert found.message == (
        "2 of 10 integers differ in sample 1, allowed 0, the greatest difference is 1 at (3,) "
        "(source 16777216, float32 package 16777217)"
    )


def test_another_label_is_named_beside_the_references() -> None:
    group = (comparison(unequal=1, labels=("cat", "dog")), comparison(sample=1, unequal=0))
    found = violations.unequal(group, Status.FAIL)
    assert found is not None
    assert found.message == "label `dog` in sample 0, the source gives `cat` (1 of 2 samples differ)"


def test_the_greatest_relative_error_decides_and_not_the_greatest_difference() -> None:
    large = comparison(sample=0, max_abs_error=2.0, max_reference=100.0)
    small = comparison(
        sample=1, max_abs_error=1.0, max_reference=4.0, max_abs_place=at(0, 3, reference=4.0, candidate=3.0)
    )
    found = violations.relative_error((large, small), 0.01)
    assert found is not None
    assert found.message == (
        "greatest difference 1 at (0, 3) of sample 1 (source 4, float32 package 3), "
        "allowed 0.04 (0.01 of the greatest value, 4)"
    )
    assert found.passes_with == "max-error = 0.25"
    assert found.excess == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("figures", "passes"),
    [
        ({"max_abs_error": 0.04}, True),
        ({"max_abs_error": 0.041}, False),
        ({"max_abs_error": 0.041, "floor": 0.0103}, True),
        ({"max_abs_error": 0.041, "floor": 0.0102}, False),
        ({"max_abs_error": 9.0, "candidate_shape": (10,)}, True),
    ],
)
def test_an_error_counts_beyond_its_limit_and_beyond_four_floors(
    figures: dict[str, Any], passes: bool
) -> None:
    assert (violations.relative_error((comparison(**figures),), 0.01) is None) == passes


def test_what_is_allowed_is_absolute_where_the_reference_is_all_zeros() -> None:
    zeros = comparison(max_reference=0.0, max_abs_error=0.5)
    assert violations.describe_error(zeros, 0.01).endswith(
        "allowed 0.01 (absolute, because the source is all zeros)"
    )


def test_what_is_allowed_of_an_output_that_is_zero_but_for_rounding() -> None:
    noise = comparison(max_reference=3e-8, floor=3e-8, max_abs_error=1.0)
    text = violations.describe_error(noise, 0.01)
    assert "0.01 of what flows into an output that is zero but for rounding, about 0.503" in text


def test_what_the_sources_own_rounding_allows() -> None:
    rounded = comparison(max_abs_error=0.3, floor=0.1)
    assert violations.describe_error(rounded, 0.01).endswith(
        "allowed 0.4 (4 times the source's own float32 rounding, 0.1)"
    )


def test_the_worst_sample_decides_about_the_signal_to_noise_ratio() -> None:
    group = (
        precision_comparison(psnr=29.0),
        precision_comparison(sample=5, psnr=24.0),
        precision_comparison(psnr=None),
    )
    found = violations.psnr(group, 30.0)
    assert found is not None
    assert found.message == "PSNR 24.0 dB in sample 5, minimum 30 dB"
    assert found.passes_with == "psnr = 24"
    assert found.excess == pytest.approx(10**0.3)
    assert violations.psnr(group, 24.0) is None
    assert violations.psnr(group, None) is None
    assert violations.psnr(group[2:], 300.0) is None, "an exact sample passes every limit"


def test_the_worst_sample_decides_about_the_cosine() -> None:
    group = (comparison(cosine=0.9), comparison(sample=3, cosine=0.875), comparison(cosine=None))
    found = violations.cosine(group, 0.95)
    assert found is not None
    assert found.message == "cosine similarity 0.875 in sample 3, minimum 0.95"
    assert found.passes_with == "cosine = 0.875"
    assert found.excess == pytest.approx(2.5)
    assert violations.cosine(group, None) is None
    exact = violations.cosine(group, 1.0)
    assert exact is not None
    assert exact.excess == math.inf


def test_noise_has_no_direction_and_no_best_class() -> None:
    noise = comparison(cosine=0.1, top1=best(), max_reference=3e-8, floor=3e-8, max_abs_error=1.0)
    assert violations.cosine((noise,), 0.99) is None
    assert violations.top_one((noise,), 0.0) is None


def test_a_best_class_that_changes_beyond_a_near_tie_names_row_and_gap() -> None:
    group = (comparison(top1=best(1, 0.06)), comparison(sample=4, top1=best(2, 0.25, row=1)))
    found = violations.top_one(group, 0.05)
    assert found is not None
    assert found.message == (
        "the best class changes in 3 of 8 rows, in row 1 of sample 4 although its two best scores are 25 % "
        "of the row's range apart, allowed up to 5 %"
    )
    assert found.passes_with == "top1-margin = 0.25"
    assert found.excess == pytest.approx(5.0)
    assert violations.top_one(group, 0.25) is None
    without_margin = violations.top_one(group, 0.0)
    assert without_margin is not None
    assert without_margin.excess == math.inf


def test_near_ties_are_told_where_there_are_some() -> None:
    assert violations.near_ties((comparison(top1=best(0)),), 0.05) == ""
    assert violations.near_ties((comparison(top1=best(2, 0.01)),), 0.05) == (
        " The best class changes in 2 of 4 rows, all near-ties (two best scores within 5 % of the row's "
        "range), which prove nothing."
    )


def test_parity_puts_what_no_figure_can_judge_first() -> None:
    group = (
        comparison(candidate_shape=(10,)),
        comparison(sample=1, unequal=1),
        comparison(sample=2, max_abs_error=4.0),
    )
    found = parity_violations(group, ParityLimits())
    assert [each.message.split()[0] for each in found] == ["shape", "1", "greatest"]
    assert {each.status for each in found} == {Status.FAIL}


def test_integers_of_a_half_are_unsure_and_come_after_what_fails() -> None:
    group: tuple[Comparison, ...] = (precision_comparison(unequal=1, psnr=10.0),)
    found = engine_violations(group, PrecisionLimits())
    assert [each.status for each in found] == [Status.FAIL, Status.UNSURE]
    assert figure_violations(group, PrecisionLimits()) == found[:1]


def test_an_engine_may_be_held_to_a_psnr_of_its_own() -> None:
    group = (precision_comparison(psnr=35.0, cosine=None),)
    assert figure_violations(group, PrecisionLimits()) == ()
    (found,) = figure_violations(group, PrecisionLimits(), psnr=50.0)
    assert found.message.endswith("minimum 50 dB")


@pytest.mark.parametrize(
    ("psnr", "status"),
    [(29.9, Status.FAIL), (30.0, Status.WARN), (39.9, Status.WARN), (40.0, None), (None, None)],
)
def test_a_figure_close_to_its_limit_warns(psnr: float | None, status: Status | None) -> None:
    found = precision_violations((precision_comparison(psnr=psnr),), PrecisionLimits())
    assert [each.status for each in found] == ([] if status is None else [status])


def test_the_warning_names_both_limits() -> None:
    (found,) = precision_violations((precision_comparison(psnr=33.21),), PrecisionLimits())
    assert (
        found.message
        == "PSNR 33.2 dB is above the minimum of 30 dB, but below the 40 dB that FP16 should reach"
    )
    assert found.passes_with == "warn-psnr = 33.2"
    assert found.excess == pytest.approx(10 ** (6.79 / 20))
