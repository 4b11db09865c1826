import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import TypeAdapter

from coreml_gate.comparing.compare import compare
from coreml_gate.record import Comparison, ElementIndex, TopOne

COMPARISONS: TypeAdapter[Comparison] = TypeAdapter(Comparison)


def compared(reference: object, candidate: object, dtype: str = "float32") -> Comparison:
    return compare(
        "y",
        3,
        np.asarray(reference, dtype),
        np.asarray(candidate, dtype),
        ("source", "fp32"),
    )


def test_figures_by_hand() -> None:
    result = compared([[4.0, 0.0, -2.0, 1.0]], [[4.0, 0.5, -2.0, 0.0]])
    assert (result.output, result.sample, result.reference, result.candidate) == ("y", 3, "source", "fp32")
    assert result.reference_shape == result.candidate_shape == (1, 4)
    assert result.elements == 4
    assert result.max_reference == 4.0
    assert result.max_abs_error == 1.0
    assert result.max_abs_place == ElementIndex(index=(0, 3), reference=1.0, candidate=0.0)
    assert result.max_rel_error == 1.0  # 0.5 against a reference of 0 has no relative error
    assert result.max_rel_place == ElementIndex(index=(0, 3), reference=1.0, candidate=0.0)
    mean_square = (0.5**2 + 1.0**2) / 4
    assert result.psnr == pytest.approx(20 * math.log10(4 / math.sqrt(mean_square)))
    assert result.cosine == pytest.approx((16 + 4) / math.sqrt((16 + 4 + 1) * (16 + 0.25 + 4)))
    assert result.relative_error == 0.25
    assert result.unequal is None


@pytest.mark.parametrize("shape", [(1000,), (1, 1000), (1, 10, 10, 10)])
def test_psnr_does_not_depend_on_the_shape(shape: tuple[int, ...]) -> None:
    reference = np.ones(1000, np.float64).reshape(shape)
    assert compared(reference, reference + 1e-3, "float64").psnr == pytest.approx(60.0)


def test_equal_arrays_have_no_psnr_and_no_place() -> None:
    result = compared([1.0, -3.0], [1.0, -3.0])
    assert result.psnr is None
    assert result.max_abs_error == result.relative_error == 0.0
    assert result.max_abs_place is None
    assert result.max_rel_place is None
    assert result.max_reference == 3.0
    assert result.cosine == pytest.approx(1.0)


def test_unequal_shapes_fill_in_nothing_else() -> None:
    result = compared(np.ones((2, 3)), np.ones((3, 2)))
    assert not result.same_shape
    assert result.max_reference == 0.0
    assert result.psnr is None
    assert result.cosine is None
    assert result.top1 is None


def test_a_scalar_equals_one_element() -> None:
    result = compared(np.float32(2.0), [2.5])
    assert result.same_shape
    assert result.max_abs_place == ElementIndex(index=(0,), reference=2.0, candidate=2.5)


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_empty_arrays_are_equal(shape: tuple[int, ...], dtype: str) -> None:
    result = compared(np.zeros(shape), np.zeros(shape), dtype)
    assert result.elements == 0
    assert result.max_abs_error == 0.0
    assert result.psnr is None
    assert result.top1 is None


@pytest.mark.parametrize(
    ("reference", "candidate", "named"),
    [
        (math.nan, 7.0, ("NaN", 7.0)),
        (7.0, math.nan, (7.0, "NaN")),
        (math.inf, -math.inf, ("+inf", "-inf")),
        (-math.inf, math.nan, ("-inf", "NaN")),
        (math.inf, 3.0, ("+inf", 3.0)),
    ],
)
def test_nonfinite_pattern_must_agree(
    reference: float, candidate: float, named: tuple[float | str, float | str]
) -> None:
    result = compared([[1.0, reference], [2.0, reference]], [[1.0, candidate], [2.5, candidate]])
    assert result.nonfinite_mismatches == 2
    assert result.nonfinite_place is not None
    assert result.nonfinite_place.index == (0, 1)
    assert (result.nonfinite_place.reference, result.nonfinite_place.candidate) == named
    assert result.max_abs_error == 0.5  # the elements that are finite on both sides still count
    assert result.max_reference == 2.0


def test_equal_nonfinite_patterns_leave_the_rest_to_judge() -> None:
    row = [math.nan, math.inf, -math.inf, 2.0, 4.0]
    result = compared(row, [*row[:3], 2.5, 4.0])
    assert result.nonfinite_mismatches == 0
    assert result.nonfinite_place is None
    assert result.max_abs_place == ElementIndex(index=(3,), reference=2.0, candidate=2.5)
    assert result.psnr == pytest.approx(20 * math.log10(4 / math.sqrt(0.25 / 2)))


def test_nothing_finite_at_all() -> None:
    result = compared([math.nan] * 3, [math.nan] * 3)
    assert (result.nonfinite_mismatches, result.psnr, result.cosine, result.top1) == (0, None, None, None)


def test_zero_reference_is_judged_absolutely() -> None:
    result = compared([0.0, 0.0], [0.0, 0.01])
    assert result.relative_error == pytest.approx(0.01)
    assert result.psnr == pytest.approx(-20 * math.log10(0.01 / math.sqrt(2)), rel=1e-6)
    assert result.cosine is None
    assert result.max_rel_place is None


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float16", [65504.0, -65504.0, 6e-8, 0.0]),
        ("float32", [3.4e38, -3.4e38, 1e-45, 0.0]),
        ("float64", [1.7e308, -1.7e308, 5e-324, 0.0]),
    ],
)
def test_extreme_values_stay_finite(dtype: str, values: list[float]) -> None:
    for candidate in (values[::-1], [0.0] * 4, [values[1], values[0], values[0], 1.0]):
        for first, second in ((values, candidate), (candidate, values)):
            result = compared(first, second, dtype)  # Record refuses what is not finite
            assert math.isfinite(result.relative_error)
            assert result.psnr is not None
            assert math.isfinite(result.psnr)


def test_float16_error_does_not_overflow() -> None:
    result = compared([65504.0], [-65504.0], "float16")
    assert result.max_abs_error == 131008.0
    assert result.psnr == pytest.approx(-20 * math.log10(2))
    assert result.cosine == -1.0


@given(
    pair=st.integers(2, 12).flatmap(
        lambda size: st.tuples(
            *[hnp.arrays(np.float64, size, elements=st.integers(-999, 999).map(float)) for _ in range(2)]
        )
    ),
    exponent=st.integers(-900, 900),
)
def test_relative_figures_do_not_depend_on_the_scale(
    pair: tuple[np.ndarray, np.ndarray], exponent: int
) -> None:
    reference, candidate = pair
    if not reference.any():
        reference[0] = 1.0
    plain = compared(reference, candidate, "float64")
    scaled = compared(np.ldexp(reference, exponent), np.ldexp(candidate, exponent), "float64")
    assert scaled.relative_error == plain.relative_error
    assert scaled.max_rel_error == plain.max_rel_error
    assert scaled.psnr == (None if plain.psnr is None else pytest.approx(plain.psnr, abs=1e-9))
    assert scaled.cosine == (None if plain.cosine is None else pytest.approx(plain.cosine))
    assert scaled.top1 == plain.top1


@given(
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=4)).flatmap(
        lambda reference: st.tuples(st.just(reference), hnp.arrays(np.float32, reference.shape))
    )
)
def test_any_two_arrays_give_a_record(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, candidate = pair
    result = compared(reference, candidate)
    wide = [side.astype(np.float64) for side in pair]
    finite = np.isfinite(wide[0]) & np.isfinite(wide[1])
    assert result.max_abs_error == np.abs(wide[0][finite] - wide[1][finite]).max(initial=0.0)
    assert result.nonfinite_mismatches == np.count_nonzero(~finite & ~_same(*wide))
    assert COMPARISONS.validate_json(COMPARISONS.dump_json(result)) == result


def _same(reference: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    both_nan = np.isnan(reference) & np.isnan(candidate)
    return np.asarray((reference == candidate) | both_nan)


def test_large_integers_are_compared_exactly() -> None:
    reference = [2**60, 2**60 + 1, -(2**63)]
    result = compared(reference, [2**60, 2**60, -(2**63)], "int64")
    assert (result.unequal, result.max_abs_error) == (1, 1.0)
    assert result.max_abs_place is not None
    assert result.max_abs_place.index == (1,)
    assert (result.psnr, result.cosine, result.top1) == (None, None, None)


def test_the_widest_integer_distance_does_not_overflow() -> None:
    result = compared([-(2**63)], [2**63 - 1], "int64")
    assert result.max_abs_error == float(2**64 - 1)
    assert result.max_reference == float(2**63)


def test_integers_of_unlike_width_and_sign() -> None:
    reference, candidate = np.array([-1, 5], np.int64), np.array([1, 5], np.uint64)
    result = compare("ids", 0, reference, candidate, ("source", "fp32"))
    assert (result.unequal, result.max_abs_error) == (1, 2.0)


@pytest.mark.parametrize("candidate_dtype", ["bool", "int32", "float32"])
def test_booleans_may_come_back_as_numbers(candidate_dtype: str) -> None:
    reference = np.array([True, False, True, False])
    candidate = np.array([1, 0, 0, 1]).astype(candidate_dtype)
    result = compare("mask", 0, reference, candidate, ("source", "fp32"))
    assert (result.unequal, result.max_abs_error) == (2, 1.0)
    assert result.max_abs_place == ElementIndex(index=(2,), reference=1.0, candidate=0.0)
    assert (result.psnr, result.cosine, result.top1) == (None, None, None)


def test_an_integer_that_comes_back_as_nan_is_unequal() -> None:
    reference, candidate = np.array([1, 2]), np.array([1.0, math.nan], np.float32)
    result = compare("ids", 0, reference, candidate, ("source", "fp32"))
    assert (result.unequal, result.nonfinite_mismatches, result.max_abs_error) == (1, 1, 0.0)


def test_top_one_by_hand() -> None:
    reference = [[0.0, 1.0, 5.0, 10.0], [8.0, 7.0, 0.0, 3.0], [2.0, 0.0, 1.0, 1.5]]
    candidate = [[0.0, 1.0, 5.0, 10.0], [7.0, 7.5, 0.0, 3.0], [1.0, 0.0, 1.2, 1.5]]
    result = compared(reference, candidate)
    assert result.top1 == TopOne(rows=3, disagreements=2, least_gap=0.125, worst_gap=0.25, row=2)


def test_top_one_counts_every_leading_dimension_as_rows() -> None:
    reference = np.array([[[0.0, 1.0], [1.0, 0.0]], [[3.0, 1.0], [2.0, 1.0]]])
    candidate = reference.copy()
    candidate[1, 0] = [0.0, 1.0]
    assert compared(reference, candidate).top1 == TopOne(
        rows=4, disagreements=1, least_gap=1.0, worst_gap=1.0, row=2
    )


@pytest.mark.parametrize(
    ("reference", "candidate", "expected"),
    [
        ([1.0, 0.0], [0.5, 0.5], TopOne(rows=1, disagreements=0, least_gap=1.0)),
        ([1.0, 1.0, 0.0], [0.9, 1.0, 0.0], TopOne(rows=1, disagreements=1, least_gap=0.0, row=0)),
        ([2.0, 2.0], [2.0, 2.0], TopOne(rows=1, disagreements=0, least_gap=0.0)),
        ([2.0, 2.0], [2.0, 2.1], TopOne(rows=1, disagreements=1, least_gap=0.0, row=0)),
    ],
    ids=["a tie of the candidate agrees", "a tie of the reference", "no range", "no range, differs"],
)
def test_top_one_ties(reference: list[float], candidate: list[float], expected: TopOne) -> None:
    assert compared(reference, candidate).top1 == expected


def test_top_one_of_masked_scores_ranks_the_others() -> None:
    masked = -math.inf
    reference = [[masked, 2.0, 4.0, 0.0], [masked, masked, masked, 1.0]]
    candidate = [[masked, 4.5, 4.0, 0.0], [masked, masked, masked, 1.0]]
    assert compared(reference, candidate).top1 == TopOne(
        rows=1, disagreements=1, least_gap=0.5, worst_gap=0.5, row=0
    )


@pytest.mark.parametrize("shape", [(4, 1), (1, 2, 3, 4)])
def test_no_top_one_without_classes_on_the_last_axis(shape: tuple[int, ...]) -> None:
    assert compared(np.zeros(shape), np.ones(shape)).top1 is None


def test_memory_stays_within_a_few_copies() -> None:
    generator = np.random.default_rng(0)
    reference = generator.normal(size=(4, 250_000))
    candidate = reference + 1e-3
    tracemalloc.start()
    compared(reference, candidate, "float64")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * reference.nbytes
