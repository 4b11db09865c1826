"""Do random operations follow MIL's distributions, and the seed?

The bounds are those that the right distribution leaves once in ten million draws or more rarely; seeds are
fixed, so a test passes always or never.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.runtime.conftest import RunOperation

COUNT = 40_000
SIGMAS = 5.3
DRAWS: dict[str, dict[str, Any]] = {
    "random_bernoulli": {"prob": 0.3},
    "random_normal": {"mean": -2.0, "stddev": 3.0},
    "random_uniform": {"low": -1.0, "high": 4.0},
}


def draw(run_operation: RunOperation, name: str, seed: int = 11, **options: Any) -> NDArray[np.float32]:
    constants = {**DRAWS[name], "shape": np.array([COUNT // 4, 4], np.int32), "seed": seed, **options}
    (found,) = run_operation(name, {}, constants)
    assert found.shape == (COUNT // 4, 4)
    return found.reshape(-1)  # type: ignore[no-any-return]


def near(share: float, probability: float) -> bool:
    return abs(share - probability) <= SIGMAS * math.sqrt(probability * (1 - probability) / COUNT)


def distance(found: NDArray[np.float32], cumulative: Any) -> float:
    """Greatest difference of the two cumulative distributions (Kolmogorov and Smirnov)."""
    below = np.arange(1, COUNT + 1) / COUNT
    return float(np.abs(below - cumulative(np.sort(found).astype(np.float64))).max())


def test_bernoulli_gives_one_as_often_as_asked(run_operation: RunOperation) -> None:
    found = draw(run_operation, "random_bernoulli")
    assert set(found.tolist()) == {0.0, 1.0}
    assert near(found.mean(), 0.3)
    assert draw(run_operation, "random_bernoulli", prob=0.0).max() == 0
    assert draw(run_operation, "random_bernoulli", prob=1.0).min() == 1


def test_uniform_is_even_between_its_ends(run_operation: RunOperation) -> None:
    found = draw(run_operation, "random_uniform")
    assert -1 <= found.min() < found.max() < 4
    assert distance(found, lambda x: (x + 1) / 5) < 2.9 / math.sqrt(COUNT)


def test_normal_has_its_mean_and_deviation(run_operation: RunOperation) -> None:
    found = draw(run_operation, "random_normal")
    wanted = np.vectorize(lambda x: 0.5 * (1 + math.erf((x + 2) / (3 * math.sqrt(2)))))
    assert distance(found, wanted) < 2.9 / math.sqrt(COUNT)


@pytest.mark.parametrize("mode", ["probs", "logits"])
def test_categorical_draws_each_class_as_often_as_its_row_says(
    mode: str, run_operation: RunOperation
) -> None:
    rows = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], np.float32)
    with np.errstate(divide="ignore"):
        x = rows if mode == "probs" else np.log(rows)
    (found,) = run_operation("random_categorical", {"x": x}, {"mode": mode, "size": COUNT, "seed": 11})
    assert found.shape == (2, COUNT)
    for row, drawn in zip(rows, found, strict=True):
        assert all(near((drawn == place).mean(), float(share)) for place, share in enumerate(row))


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_neighbours_are_independent(name: str, run_operation: RunOperation) -> None:
    found = draw(run_operation, name).astype(np.float64)
    normal = (found - found.mean()) / found.std()
    assert abs((normal[1:] * normal[:-1]).mean()) < SIGMAS / math.sqrt(COUNT)


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_a_seed_gives_the_same_numbers_and_none_gives_others(name: str, run_operation: RunOperation) -> None:
    np.testing.assert_array_equal(draw(run_operation, name), draw(run_operation, name))
    assert not np.array_equal(draw(run_operation, name), draw(run_operation, name, seed=12))
    torch.manual_seed(5)
    first, second = (draw(run_operation, name, seed=-1) for _ in range(2))
    assert not np.array_equal(first, second)
