"""Activations, elementwise operations and reductions whose formula leaves room for a mistake."""

from typing import Any

import numpy as np
import pytest

from tests.runtime.conftest import RunOperation

X = np.array([-3, -1, -0.5, 0, 0.5, 1, 3], np.float32)
FORMULAS = {
    "clamped_relu": ({"alpha": 0.5, "beta": 2.0}, lambda x: np.minimum(np.where(x >= 0, x, 0.5 * x), 2)),
    "clip": ({"alpha": -1.0, "beta": 0.7}, lambda x: np.clip(x, -1, 0.7)),
    "elu": ({"alpha": 0.5}, lambda x: np.where(x >= 0, x, 0.5 * (np.exp(x) - 1))),
    "inverse": ({"epsilon": 0.25}, lambda x: 1 / (x + 0.25)),
    "leaky_relu": ({"alpha": 0.1}, lambda x: np.where(x >= 0, x, 0.1 * x)),
    "linear_activation": ({"alpha": 2.0, "beta": -1.0}, lambda x: 2 * x - 1),
    "scaled_tanh": ({"alpha": 2.0, "beta": 0.5}, lambda x: 2 * np.tanh(x / 2)),
    "sigmoid_hard": ({"alpha": 0.3, "beta": 0.4}, lambda x: np.clip(0.3 * x + 0.4, 0, 1)),
    "threshold": ({"alpha": 0.25}, lambda x: np.maximum(x, 0.25)),
    "thresholded_relu": ({"alpha": 0.5}, lambda x: np.where(x >= 0.5, x, 0)),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_formulas_of_the_specification(name: str, run_operation: RunOperation) -> None:
    constants, formula = FORMULAS[name]
    (found,) = run_operation(name, {"x": X}, constants)
    np.testing.assert_allclose(found, formula(X.astype(np.float64)), rtol=1e-5, atol=1e-7)


def test_thresholded_relu_keeps_the_threshold_itself_in_half_precision(run_operation: RunOperation) -> None:
    x = np.array([0.3, 0.7], np.float16)
    (found,) = run_operation("thresholded_relu", {"x": x}, {"alpha": np.float16(0.7)}, ("fp16",))
    assert found.tolist() == [0, x[1]]


@pytest.mark.parametrize("mode", ["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"])
def test_the_forms_of_gelu_are_near_each_other_and_not_the_same(
    mode: str, run_operation: RunOperation
) -> None:
    (exact,) = run_operation("gelu", {"x": X})
    (found,) = run_operation("gelu", {"x": X}, {"mode": mode})
    assert (np.abs(found - exact).max() > 1e-5) == (mode != "EXACT")
    np.testing.assert_allclose(found, exact, atol=0.03)


def test_per_channel_parameters_run_along_the_second_axis(
    run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x, alpha = rng.standard_normal((2, 3, 4)).astype(np.float32), np.array([0.1, 0.2, 0.3], np.float32)
    (found,) = run_operation("prelu", {"x": x}, {"alpha": alpha})
    np.testing.assert_allclose(found, np.where(x >= 0, x, x * alpha[:, None]), rtol=1e-6)
    (soft,) = run_operation("softplus_parametric", {"x": x}, {"alpha": alpha, "beta": alpha + 1})
    np.testing.assert_allclose(soft, alpha[:, None] * np.log1p(np.exp((alpha[:, None] + 1) * x)), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "wanted"), [("floor_div", [-3, 3, 2]), ("mod", [2, 1, 1]), ("real_div", [-2, 3, 2])]
)
def test_integer_division(name: str, wanted: Any, run_operation: RunOperation) -> None:
    x, y = np.array([-7, 10, 5], np.int32), np.array([3, 3, 2], np.int32)
    (found,) = run_operation(name, {"x": x, "y": y}, outputs=("int32",))
    assert found.tolist() == wanted


def test_cast_truncates_toward_zero(run_operation: RunOperation) -> None:
    (found,) = run_operation("cast", {"x": np.array([-1.7, 1.7], np.float32)}, {"dtype": "int32"}, ("int32",))
    assert found.tolist() == [-1, 1]


REDUCTIONS = {
    "reduce_l1_norm": lambda x, a: np.abs(x).sum(a),
    "reduce_l2_norm": lambda x, a: np.sqrt((x**2).sum(a)),
    "reduce_log_sum_exp": lambda x, a: np.log(np.exp(x).sum(a)),
    "reduce_max": lambda x, a: x.max(a),
    "reduce_mean": lambda x, a: x.mean(a),
    "reduce_min": lambda x, a: x.min(a),
    "reduce_prod": lambda x, a: x.prod(a),
    "reduce_sum": lambda x, a: x.sum(a),
    "reduce_sum_square": lambda x, a: (x**2).sum(a),
}


@pytest.mark.parametrize("axes", [None, [0, -1], [1]])
@pytest.mark.parametrize("name", sorted(REDUCTIONS))
def test_reductions_over_some_axes_or_all(
    name: str, axes: Any, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    constants = {} if axes is None else {"axes": axes}
    (found,) = run_operation(name, {"x": x}, constants)
    wanted = REDUCTIONS[name](x.astype(np.float64), None if axes is None else tuple(axes))
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    (kept,) = run_operation(name, {"x": x}, {**constants, "keep_dims": True})
    assert kept.ndim == x.ndim


def test_argmax_gives_the_declared_integer_type(run_operation: RunOperation) -> None:
    (found,) = run_operation("reduce_argmax", {"x": X}, {"axis": 0}, ("int32",))
    assert (found.dtype, int(found)) == (np.int32, 6)
