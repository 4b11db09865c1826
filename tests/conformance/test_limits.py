"""Does the strict comparison find what coremltools' own limits hide, and nothing else?"""

from typing import Any

import numpy as np
import pytest

from conformance import limits

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.5], [0.25], 0.25),  # below 1 the difference itself counts
        ([110.0], [100.0], 0.1),  # above 1 its share of the expected value
        ([3], [4], 0.25),
        ([True], [False], 1.0),
        ([INF, NAN, -INF], [INF, NAN, -INF], 0.0),
        ([INF], [-INF], INF),
        ([NAN], [1.0], INF),
        ([1.0], [INF], INF),
        ([[1.0, 1.0]], 1.0, 0.0),
        ([1.0, 2.0], [1.0, 2.0, 3.0], INF),
        ([], [], 0.0),
    ],
)
def test_greatest_error(actual: Any, expected: Any, error: float) -> None:
    assert limits.greatest_error(actual, expected) == pytest.approx(error)


def test_a_comparison_after_a_prediction_is_strict_whatever_the_caller_allows() -> None:
    noted: list[float] = []
    compare = limits.strict_compare(np.testing.assert_allclose, lambda: limits.HALF, noted.append)
    compare([1.0], [1.003], atol=0, rtol=0)
    with pytest.raises(limits.LimitError, match=r"greatest error 0\.25 .* allowed 0\.004"):
        compare([1.0], [0.75], atol=0.5, rtol=0.05)
    assert noted == [pytest.approx(0.003 / 1.003), 0.25]


def test_before_a_prediction_the_callers_own_limits_hold() -> None:
    compare = limits.strict_compare(np.testing.assert_allclose, lambda: None, pytest.fail)
    compare([1.0], [1.4], atol=0.5)
    with pytest.raises(AssertionError, match="Not equal"):
        compare([1.0], [1.003])


def test_labels_are_left_to_the_caller() -> None:
    compare = limits.strict_compare(np.testing.assert_allclose, lambda: limits.HALF, pytest.fail)
    with pytest.raises(TypeError):
        compare(np.array(["cat"]), np.array(["dog"]))
