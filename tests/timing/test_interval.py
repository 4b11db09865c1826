"""Do the interval and the p-value keep what they promise, whatever the noise looks like?"""

import math

import numpy as np
import pytest

from coreml_gate.timing.interval import sign_interval, sign_p_value

TRIALS = 2000


@pytest.mark.parametrize(
    ("count", "alpha", "rank"),
    # ranks of the classical tables: Conover, Practical Nonparametric Statistics
    [(6, 0.05, 1), (10, 0.05, 2), (20, 0.05, 6), (50, 0.05, 18), (5, 0.05, 0)],
)
def test_the_ends_are_the_order_statistics_of_the_tables(count: int, alpha: float, rank: int) -> None:
    interval = sign_interval([float(value) for value in range(1, count + 1)], alpha)
    expected = (float(rank), float(count + 1 - rank)) if rank else (-math.inf, math.inf)
    assert (interval.low, interval.high) == expected


def test_no_value_at_all_tells_nothing() -> None:
    interval = sign_interval([], 0.05)
    assert math.isnan(interval.median)
    assert (interval.low, interval.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("noise", ["cauchy", "lognormal", "bimodal"])
@pytest.mark.parametrize("count", [20, 60, 200])
def test_the_interval_covers_the_true_median_of_heavy_tails(noise: str, count: int) -> None:
    draw = np.random.default_rng(7)
    size = (TRIALS, count)
    values = {
        "cauchy": lambda: draw.standard_cauchy(size),
        "lognormal": lambda: np.exp(2 * draw.standard_normal(size)) - 1,
        "bimodal": lambda: draw.standard_normal(size) + np.where(draw.random(size) < 0.1, 50.0, 0.0),
    }[noise]()
    median = 0.0 if noise != "bimodal" else 0.13971  # Phi(x) = 5 / 9: the tenth at 50 lies above every x
    intervals = [sign_interval(list(row), 0.05) for row in values]
    covered = sum(each.low <= median <= each.high for each in intervals) / TRIALS
    # three standard errors of the simulation below the promise
    assert covered >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / TRIALS)


def test_the_p_value_is_the_binomial_tail() -> None:
    assert sign_p_value([1.0] * 9 + [-1.0], above=0.0) == pytest.approx(11 / 1024)
    assert sign_p_value([0.0] * 5, above=0.0) == 1.0
