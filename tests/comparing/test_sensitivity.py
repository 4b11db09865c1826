import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreml_gate.comparing.untrained import sensitivity


def value(*samples: object) -> float:
    result = sensitivity("logits", [np.asarray(sample, np.float32) for sample in samples])
    assert result is not None
    assert result.output == "logits"
    return result.value


def test_by_hand() -> None:
    # mean sample (2, 0), deviations (1, 1) and (-1, -1): RMS 1; RMS of 3, 1, 1, -1 is sqrt(3)
    assert value([3.0, 1.0], [1.0, -1.0]) == pytest.approx(1 / math.sqrt(3))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (([1.0, 2.0], [1.0, 2.0]), 0.0),
        (([0.0, 0.0], [0.0, 0.0]), 0.0),
        (([1.0, -2.0], [-1.0, 2.0]), 1.0),
        (([0.0, 4.0], [0.0, 2.0]), 1 / math.sqrt(10)),
        (([100.0], [101.0], [99.0]), math.sqrt(2 / 3) / math.sqrt((100**2 + 101**2 + 99**2) / 3)),
    ],
    ids=["constant", "zeros", "opposite", "with a zero", "a large constant"],
)
def test_range(samples: tuple[list[float], ...], expected: float) -> None:
    assert value(*samples) == pytest.approx(expected)


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [np.ones(3)],
        [np.ones(3), np.ones(4)],
        [np.ones((1, 4)), np.ones((2, 2))],
        [np.array([math.nan]), np.array([1.0])],
        [np.ones(0), np.ones(0)],
    ],
    ids=["none", "one", "sizes", "shapes", "not finite", "empty"],
)
def test_cannot_tell(samples: list[np.ndarray]) -> None:
    assert sensitivity("logits", samples) is None


def test_masked_elements_are_left_out() -> None:
    assert value([3.0, -math.inf], [1.0, -math.inf]) == value([3.0], [1.0])


def test_integers_do_not_wrap() -> None:
    low, high = np.array([-100], np.int8), np.array([100], np.int8)
    result = sensitivity("ids", [low, high])
    assert result is not None
    assert result.value == 1.0


@given(
    samples=st.lists(st.lists(st.integers(-99, 99), min_size=3, max_size=3), min_size=2, max_size=5),
    exponent=st.integers(-1000, 1000),
)
def test_does_not_depend_on_the_scale(samples: list[list[int]], exponent: int) -> None:
    arrays = [np.array(sample, np.float64) for sample in samples]
    plain = sensitivity("y", arrays)
    scaled = sensitivity("y", [np.ldexp(array, exponent) for array in arrays])
    assert plain is not None
    assert scaled is not None
    assert scaled.value == pytest.approx(plain.value)
    assert 0 <= plain.value <= 1 + 1e-9
