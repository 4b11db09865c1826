from typing import Any

import pytest

from zoo.expectations import EXPECTATIONS, Expectation, load_seconds, mean_of, of_each, peak_ratio, time_ratio
from zoo.row import Parity, Row


def row(model: str = "net", **fields: Any) -> Row:
    return Row(model=model, **fields)


FAST = row("fast", ratios={"eager": 1.0, "fp32": 0.8})
SLOW = row("slow", ratios={"eager": 1.0, "fp32": 1.25})
BLANK = row("blank")


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([FAST, BLANK], "met"),
        ([FAST, SLOW], "missed: slow 1.25"),
        ([BLANK], "not measured"),
    ],
)
def test_an_expectation_of_each_names_those_that_miss_it(rows: list[Row], outcome: str) -> None:
    assert Expectation("", of_each(time_ratio("fp32")), 1.2).outcome(rows) == outcome


def test_a_mean_is_over_the_rows_that_have_the_figure() -> None:
    assert mean_of(time_ratio("fp32"))([FAST, SLOW, BLANK]) == {"geometric mean": pytest.approx(1.0)}


def test_bit_equal_outputs_meet_any_psnr() -> None:
    expectation = next(item for item in EXPECTATIONS if "PSNR" in item.text)
    exact = row("exact", parity={"fp32": Parity(psnr=None, relative_error=0)})
    poor = row("poor", parity={"fp32": Parity(psnr=89.9, relative_error=1e-4)})
    assert expectation.outcome([exact]) == "met"
    assert expectation.outcome([exact, poor]) == "missed: poor 89.9"


def test_a_failed_model_misses_the_first_expectation() -> None:
    assert EXPECTATIONS[0].outcome([FAST, row("broken", failures=("x",))]) == "missed: broken 1"


def test_the_peak_is_the_greater_of_both_modes() -> None:
    assert peak_ratio(row(peak_bytes={"eager": 10**8, "fp32": 11 * 10**7, "fp16": 10**7})) == pytest.approx(
        1.1
    )
    assert peak_ratio(row(peak_bytes={"eager": 10**6, "fp32": 2 * 10**6})) is None
    assert peak_ratio(row(peak_bytes={"fp32": 10**8})) is None


@pytest.mark.parametrize(("parameters", "expected"), [(25_000_000, 0.3), (5_000_000, None), (None, None)])
def test_loading_counts_for_packages_of_about_25_million_parameters(
    parameters: int | None, expected: float | None
) -> None:
    assert load_seconds(row(parameters=parameters, load_seconds={"fp32": 0.1, "fp16": 0.3})) == expected
