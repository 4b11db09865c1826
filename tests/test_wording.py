from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreml_gate.wording import (
    Write,
    alike,
    apart,
    decibels,
    fallen,
    first_and_more,
    hanging,
    megabytes,
    moved,
    number,
    passing_maximum,
    passing_minimum,
    percent,
)

figures = st.floats(min_value=-1e12, max_value=1e12).filter(lambda value: value == 0 or abs(value) > 1e-300)


@given(figures, st.integers(1, 6))
def test_a_limit_that_would_pass_passes(value: float, digits: int) -> None:
    highest, lowest = passing_maximum(value, digits), passing_minimum(value, digits)
    assert float(lowest) <= value <= float(highest)
    assert Decimal(highest) - Decimal(lowest) <= abs(Decimal(value)) * 10 ** Decimal(1 - digits)


@pytest.mark.parametrize(
    ("value", "maximum", "minimum"),
    [
        (0.000311, "3.2e-4", "3.1e-4"),
        (0.311, "0.32", "0.31"),
        (1.0, "1", "1"),
        (0.0, "0", "0"),
        (214.2, "220", "210"),
        (-3.14, "-3.1", "-3.2"),
    ],
)
def test_short_limits_are_valid_toml(value: float, maximum: str, minimum: str) -> None:
    assert float(passing_maximum(value)) == float(maximum)
    assert float(passing_minimum(value, 2)) == float(minimum)
    assert passing_maximum(value) == maximum
    assert passing_minimum(value, 2) == minimum


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (0, "0.000 MB"),
        (31_400, "0.031 MB"),
        (1_234_000, "1.23 MB"),
        (21_340_000, "21.3 MB"),
        (1_234_560_000, "1234.6 MB"),
    ],
)
def test_megabytes(size: int, written: str) -> None:
    assert megabytes(size) == written


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ((1.0, 0.145, 0.01), ("1.000", "0.145", "0.010")),
        ((0.98, 0.9611, 0.002), ("0.9800", "0.9611", "0.0020")),
        ((123.4, 150.2, 5.0), ("123.4", "150.2", "5.0")),
        ((3e-9, 4e-9), ("3e-9", "4e-9")),
        ((0.5,), ("0.500",)),
        ((0.0, 0.0), ("0.000", "0.000")),
    ],
)
def test_numbers_to_compare_have_the_same_decimals(
    values: tuple[float, ...], written: tuple[str, ...]
) -> None:
    assert alike(*values) == written


def test_a_paragraph_hangs_behind_its_start() -> None:
    assert hanging("  size  ", "is the package small enough", 28) == (
        "  size  is the package small\n        enough"
    )
    long = "x" * 90
    assert hanging("  ", f"{long} y", 80) == f"  {long}\n  y"


def test_other_figures() -> None:
    assert number("NaN") == "NaN"
    assert number(0.000012345) == "1.23e-5"
    assert number(1.5e12) == "1.5e12"
    assert percent(0.125) == "12 %"
    assert [percent(share) for share in (0.994, 0.996, 1.0, 1.234)] == ["99 %", "100 %", "100 %", "123 %"]
    assert first_and_more(["a", "b"]) == "a; b"
    assert first_and_more(["a", "b", "c", "d", "e"]) == "a; b; c; and 2 more"


@pytest.mark.attack("foreign text")
@given(st.floats(1e3, 1e9), st.floats(-1e-6, 1e-6), st.sampled_from([number, decibels, megabytes, percent]))
def test_a_figure_and_its_limit_never_look_alike(limit: float, share: float, write: Write) -> None:
    """`PSNR 30.0 dB, minimum 30 dB` failed, `0.01` was more than `0.01`."""
    value = limit * (1 + share)
    shown, allowed = (float(text.split()[0]) for text in apart(value, limit, write, write))
    assert (shown > allowed, shown < allowed) == (value > limit, value < limit) or value == limit


@pytest.mark.attack("foreign text")
@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (29.97, 30, ("29.97 dB", "30")),
        (2.6, 30, ("2.6 dB", "30")),
        (30.0, 30.0004, ("30.0000 dB", "30.0004")),
    ],
)
def test_a_psnr_has_tenths_unless_its_limit_is_closer(
    value: float, limit: float, shown: tuple[str, str]
) -> None:
    assert apart(value, limit, decibels) == shown


@pytest.mark.attack("foreign text")
def test_a_fall_that_is_too_far_is_seen_in_the_figures() -> None:
    assert fallen(40.04, 37.01, 3) == ("40.04 dB", "37.01 dB")
    assert fallen(47.2, 40.1, 3) == ("47.2 dB", "40.1 dB")


@pytest.mark.attack("foreign text")
@given(st.floats(0.01, 1e3), st.floats(1e-6, 1), st.floats(1.0001, 2))
def test_a_change_looks_greater_than_the_allowed_one(before: float, limit: float, times: float) -> None:
    """`fell from 0.980 to 0.960, allowed drop 0.020`."""
    texts = moved(before, before - limit * times, limit)
    fell, rose, allowed = (Decimal(text) for text in texts)
    assert fell - rose > allowed
    assert moved(0.98, 0.9599, 0.02) == ("0.9800", "0.9599", "0.0200")
    assert moved(0.98, 0.9, 0.02) == alike(0.98, 0.9, 0.02)


@pytest.mark.attack("foreign text")
@pytest.mark.parametrize("values", [(0.9, 0.9 - 1e-9, 0.0), (1e6, 1e6 - 1e-8, 1e-9), (0.0, -0.0, 1e-300)])
def test_metrics_that_differ_never_look_alike(values: tuple[float, ...]) -> None:
    assert len({*alike(*values)}) == len({*values})


@pytest.mark.attack("foreign text")
def test_a_zero_has_no_sign() -> None:
    assert (number(-0.0), number(-1e-300)) == ("0", "-1e-300")
