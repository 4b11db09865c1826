from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tests.runtime.conftest import RunOperation


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((2, 4, 5, 6)).astype(np.float32)


def test_batch_norm(x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator) -> None:
    mean, variance, gamma, beta = rng.uniform(0.5, 2, (4, 4)).astype(np.float32)
    wanted = functional.batch_norm(*map(torch.from_numpy, (x, mean, variance, gamma, beta)), eps=1e-3)
    constants = {"mean": mean, "variance": variance, "gamma": gamma, "beta": beta, "epsilon": 1e-3}
    (found,) = run_operation("batch_norm", {"x": x}, constants)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_instance_norm(x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator) -> None:
    gamma, beta = rng.uniform(0.5, 2, (2, 4)).astype(np.float32)
    wanted = functional.instance_norm(
        torch.from_numpy(x), weight=torch.from_numpy(gamma), bias=torch.from_numpy(beta), eps=1e-3
    )
    (found,) = run_operation("instance_norm", {"x": x}, {"gamma": gamma, "beta": beta, "epsilon": 1e-3})
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axes", [[-1], [2, 3], [1], [1, 3]])
def test_layer_norm_over_any_axes(
    x: NDArray[np.float32], axes: Any, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    places = tuple(axis % 4 for axis in axes)
    gamma, beta = rng.uniform(0.5, 2, (2, *(x.shape[axis] for axis in places))).astype(np.float32)
    broadcast = [size if axis in places else 1 for axis, size in enumerate(x.shape)]
    normal = (x - x.mean(places, keepdims=True)) / np.sqrt(x.var(places, keepdims=True) + 1e-3)
    wanted = normal * gamma.reshape(broadcast) + beta.reshape(broadcast)
    (found,) = run_operation(
        "layer_norm", {"x": x}, {"axes": axes, "gamma": gamma, "beta": beta, "epsilon": 1e-3}
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_l2_norm_is_over_the_last_three_axes(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    (found,) = run_operation("l2_norm", {"x": x}, {"epsilon": 0.5})
    np.testing.assert_allclose(found[1], x[1] / np.sqrt((x[1] ** 2).sum() + 0.5), rtol=1e-5)


def test_local_response_norm(x: NDArray[np.float32], run_operation: RunOperation) -> None:
    wanted = functional.local_response_norm(torch.from_numpy(x), 3, 0.1, 0.7, 2.0)
    (found,) = run_operation(
        "local_response_norm", {"x": x}, {"size": 3, "alpha": 0.1, "beta": 0.7, "k": 2.0}
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
