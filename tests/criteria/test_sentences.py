"""Comparisons in words, and grouped by output."""

from typing import Any

import pytest

from coreml_gate.criteria import by_output, comparable, least_psnr, worst_relative_error
from coreml_gate.criteria.sentences import name_of, place_of, sample_line, time_by_step, values_at
from coreml_gate.record import ElementIndex, Phase, TopOne
from tests.builders import comparison

PLACE = ElementIndex(index=(0, 7), reference=1.23456789, candidate="+inf")


def test_outputs_keep_the_order_in_which_they_appear() -> None:
    given = [comparison(output=name, sample=number) for number, name in enumerate(("b", "a", "b"))]
    assert by_output(given) == {"b": (given[0], given[2]), "a": (given[1],)}
    assert list(by_output(given)) == ["b", "a"]
    assert by_output(()) == {}


def test_only_samples_of_one_shape_have_figures() -> None:
    sound, unlike = comparison(max_abs_error=1.0), comparison(max_abs_error=9.0, candidate_shape=(10,))
    assert comparable((unlike, sound)) == (sound,)
    assert worst_relative_error((unlike, sound)) == 0.25
    assert worst_relative_error((unlike,)) is None
    assert least_psnr((comparison(psnr=3.0, candidate_shape=(10,)), comparison(psnr=50.0))) == 50.0


def test_a_reference_of_zeros_makes_the_error_absolute() -> None:
    assert worst_relative_error((comparison(max_reference=0.0, max_abs_error=0.5),)) == 0.5


@pytest.mark.parametrize(
    ("side", "name"),
    [("source", "source"), ("fp16", "shipped package"), ("core-ml", "Core ML"), ("onnx", "onnx")],
)
def test_sides_have_names_and_another_engine_its_own(side: Any, name: str) -> None:
    assert name_of(side) == name


def test_places_and_values() -> None:
    assert place_of(PLACE, 3) == "(0, 7) of sample 3"
    assert place_of(None, 3) == "sample 3"
    assert values_at(comparison(), None) == ""
    assert values_at(comparison(), PLACE) == " (source 1.2346, float32 package +inf)"


def test_an_integer_is_never_shortened() -> None:
    place = ElementIndex(index=(0,), reference=123456789.0, candidate=123456788.0)
    assert values_at(comparison(unequal=1), place) == " (source 123456789, float32 package 123456788)"
    assert values_at(comparison(), place) == " (source 1.2346e8, float32 package 1.2346e8)"


def test_a_sample_in_one_line() -> None:
    line = sample_line(comparison(sample=2, psnr=41.26, cosine=0.99999412))
    assert line == (
        "sample 2: greatest difference 8e-7 at (0, 7), 2e-7 of max, element-wise 1e-6 at (0, 2), 41.3 dB, "
        "cosine 0.9999941, best class equal in 1 of 1 rows (least gap 40 %)"
    )


@pytest.mark.parametrize(
    ("figures", "part"),
    [
        ({"nonfinite_mismatches": 3}, "3 non-finite mismatches"),
        ({"unequal": 4}, "4 of 10 integers differ"),
        ({"unequal": 1, "labels": ("cat", "dog")}, "label `dog`, not `cat`"),
        ({"max_abs_place": None}, "no finite difference"),
        (
            {"top1": TopOne(rows=5, disagreements=2, least_gap=0.1, worst_gap=0.25, row=1)},
            "best class differs in 2 of 5 rows (gaps up to 25 %)",
        ),
    ],
)
def test_what_a_line_says_of_each_kind(figures: dict[str, Any], part: str) -> None:
    assert part in sample_line(comparison(**figures))


def test_what_is_not_known_leaves_no_gap_in_the_line() -> None:
    line = sample_line(comparison(psnr=None, cosine=None, top1=None, max_rel_place=None))
    assert line == "sample 0: greatest difference 8e-7 at (0, 7), 2e-7 of max"


def test_another_shape_is_all_that_a_line_says() -> None:
    line = sample_line(comparison(sample=1, candidate_shape=(10,), psnr=3.0))
    assert line == "sample 1: shape (10,), not (1, 10)"


def test_steps_of_a_second_and_more_have_their_time() -> None:
    phases = [
        Phase(step=name, seconds=took) for name, took in (("start", 0.4), ("source", 5.06), ("convert", 12.4))
    ]
    assert time_by_step(phases) == "source 5.1 s, convert 12.4 s"
    assert time_by_step(phases[:1]) == ""
