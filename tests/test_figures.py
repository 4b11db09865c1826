import pytest

from coreml_gate import figures
from coreml_gate.wording import counted


def ascii_of(text: str) -> str:
    """The text with signs that can be told apart in a test."""
    return text.replace("\N{MINUS SIGN}", "-").replace(figures.TIMES, "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.9812, "0.9812"),
        (12.3456, "12.35"),
        (-3.0, "-3.000"),
        (123456.7, "123457"),
        (3.21e-6, "3.2e-6"),
        (-1.5e9, "-1.5e9"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert ascii_of(figures.number(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (3.21e-6, "3.2e-6"), (0.0777, "0.078"), (0.31, "0.31"), (1.52, "1.5"), (152.3, "152")],
)
def test_error(value: float, text: str) -> None:
    assert figures.error(value) == text


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ([5e3, 2.5e4], ["5.00 kB", "25.0 kB"]),
        ([5e3, 4.21e6], ["0.005 MB", "4.21 MB"]),
        ([1.234e9], ["1234 MB"]),
        ([1.234e9, 2.5e10], ["1.23 GB", "25.0 GB"]),
        ([0], ["0.000 kB"]),
    ],
)
def test_one_unit_for_a_column(sizes: list[float], shown: list[str]) -> None:
    unit = figures.byte_unit(sizes)
    assert [unit.show(size) for size in sizes] == shown


@pytest.mark.parametrize(
    ("change", "head", "base", "text"),
    [
        (figures.percent_change, 4.21, 4.12, "+2.2 %"),
        (figures.percent_change, 4.0, 4.12, "-2.9 %"),
        (figures.percent_change, 1.0001, 1.0, "±0.0 %"),
        (figures.percent_change, 9.0, 1.0, "+800 %"),
        (figures.percent_change, 1.0, 1.0, "="),
        (figures.percent_change, 1.0, 0.0, ""),
        (figures.difference, 0.9611, 0.9815, "-0.0204"),
        (figures.difference, 12.5, 12.0, "+0.50"),
        (figures.difference, 0.98, 0.9800001, "±0.0000"),
        (figures.decibel_difference, 33.1, 55.1, "-22.0"),
        (figures.factor, 3e-6, 1.5e-6, "x2.0"),
        (figures.factor, 0.31, 2e-7, "x1000+"),
        (figures.factor, 1e-9, 1e-5, "x1.0e-4"),
        (figures.factor, 1e-9, 0.0, ""),
    ],
)
def test_change(change: figures.Change, head: float, base: float, text: str) -> None:
    assert ascii_of(change(head, base)) == text


@pytest.mark.parametrize(("amount", "text"), [(0, "0 models"), (1, "1 model"), (1000, "1,000 models")])
def test_count(amount: int, text: str) -> None:
    assert counted(amount, "model") == text


def test_bars_are_full_for_the_greatest_and_empty_only_for_zero() -> None:
    assert figures.sparkline((0, 1, 4, 8)) == " ▁▄█"
    assert figures.sparkline((0, 0)) == "  "
    assert figures.sparkline((1, 1000)) == "▁█"
    assert figures.sparkline(()) == ""
