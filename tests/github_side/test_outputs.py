"""Outputs that no value can break out of, and a summary that GitHub does not drop."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.errors import UsageError
from coreml_gate.github.publishing.outputs import SUMMARY_LIMIT, write_outputs, write_summary
from coreml_gate.report import ReportOptions
from tests.report.verdicts import many


def tokens() -> Callable[[], str]:
    numbers = iter(range(100))
    return lambda: f"t{next(numbers)}"


def test_each_output_stands_between_delimiters_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text("earlier=1\n")
    write_outputs(path, {"verdict": "fail", "origin": "a\nmode=evil"}, tokens())

    assert path.read_text() == (
        "earlier=1\n"
        "verdict<<ghadelimiter_t0\nfail\nghadelimiter_t0\n"
        "origin<<ghadelimiter_t1\na\nmode=evil\nghadelimiter_t1\n"
    )


def test_a_value_with_its_delimiter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="output `a` holds its own delimiter"):
        write_outputs(tmp_path / "output", {"a": "x\nghadelimiter_t0\nmode<<y"}, tokens())


def test_the_summary_has_all_details_and_stays_below_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    write_summary(path, many(60), ReportOptions())
    assert "All findings of the other 59 models" in path.read_text()

    path.write_text("x" * (SUMMARY_LIMIT - 50_000))
    write_summary(path, many(60), ReportOptions())
    assert SUMMARY_LIMIT - 50_000 < path.stat().st_size <= SUMMARY_LIMIT

    path.write_text("x" * (SUMMARY_LIMIT - 100))
    write_summary(path, many(60), ReportOptions())
    assert path.stat().st_size == SUMMARY_LIMIT - 100


def test_elsewhere_nothing_is_written() -> None:
    write_outputs(None, {"a": "b"}, tokens())
    write_summary(None, many(3), ReportOptions())
