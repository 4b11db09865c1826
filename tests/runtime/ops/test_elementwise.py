"""Activations, elementwise operations and reductions whose formula leaves room for a mistake."""

import math
from typing import Any

import numpy as np
import pytest

from coreml_gate.errors import PackageError
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


UNARY: dict[str, Any] = {
    "abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": np.vectorize(math.erf),
    "exp": np.exp,
    "exp2": np.exp2,
    "floor": np.floor,
    "log": np.log,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "round": np.round,  # halves to the even neighbour
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sign": np.sign,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sin": np.sin,
    "sinh": np.sinh,
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sqrt": np.sqrt,
    "square": np.square,
    "tan": np.tan,
    "tanh": np.tanh,
}
WIDE = np.array([-3.5, -2.5, -1, -0.25, 0, 0.5, 1.5, 8], np.float32)
DOMAINS = {
    **dict.fromkeys(("acos", "asin", "atanh"), np.linspace(-0.9, 0.9, 7, dtype=np.float32)),
    **dict.fromkeys(("log", "rsqrt", "sqrt"), np.array([0.25, 1, 2.5, 100], np.float32)),
}


@pytest.mark.parametrize("name", sorted(UNARY))
def test_functions_of_one_value(name: str, run_operation: RunOperation) -> None:
    x = DOMAINS.get(name, WIDE)
    (found,) = run_operation(name, {"x": x})
    np.testing.assert_allclose(found, UNARY[name](x.astype(np.float64)), rtol=1e-5, atol=1e-6)


BINARY: dict[str, tuple[Any, str]] = {
    "add": (np.add, "fp32"),
    "equal": (np.equal, "bool"),
    "greater": (np.greater, "bool"),
    "greater_equal": (np.greater_equal, "bool"),
    "less": (np.less, "bool"),
    "less_equal": (np.less_equal, "bool"),
    "maximum": (np.maximum, "fp32"),
    "minimum": (np.minimum, "fp32"),
    "mul": (np.multiply, "fp32"),
    "not_equal": (np.not_equal, "bool"),
    "pow": (np.power, "fp32"),
    "sub": (np.subtract, "fp32"),
}


@pytest.mark.parametrize("name", sorted(BINARY))
def test_functions_of_two_values_broadcast(name: str, run_operation: RunOperation) -> None:
    wanted, dtype = BINARY[name]
    x, y = np.array([[1, 2, 3], [4, 5, 6]], np.float32), np.array([3, 2, 1], np.float32)
    for first, second in ((x, y), (y[:, None], y)):
        (found,) = run_operation(name, {"x": first, "y": second}, outputs=(dtype,))
        np.testing.assert_allclose(found, wanted(first, second), rtol=1e-6)


@pytest.mark.parametrize("name", ["and", "or", "xor"])
def test_logic_broadcasts(name: str, run_operation: RunOperation) -> None:
    x, y = np.array([[True], [False]]), np.array([True, False])
    (found,) = run_operation(f"logical_{name}", {"x": x, "y": y}, outputs=("bool",))
    np.testing.assert_array_equal(found, getattr(np, f"logical_{name}")(x, y))
    (opposite,) = run_operation("logical_not", {"x": x}, outputs=("bool",))
    np.testing.assert_array_equal(opposite, ~x)


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_formulas_of_the_specification(name: str, run_operation: RunOperation) -> None:
    constants, formula = FORMULAS[name]
    (found,) = run_operation(name, {"x": X}, constants)
    np.testing.assert_allclose(found, formula(X.astype(np.float64)), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("alpha", [np.float32(1 / 6), np.float16(1 / 6)])
def test_the_hard_sigmoid_of_torch_and_its_neighbour(alpha: Any, run_operation: RunOperation) -> None:
    """Only the first is torch's own kernel; a sixth in half precision is another number."""
    x = np.linspace(-4, 4, 33, dtype=np.float32)
    (found,) = run_operation("sigmoid_hard", {"x": x}, {"alpha": np.float32(alpha), "beta": np.float32(0.5)})
    np.testing.assert_allclose(found, np.clip(float(alpha) * x + 0.5, 0, 1), rtol=0, atol=1.2e-7)


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
    ("name", "wanted"), [("floor_div", [-3, 3, 2]), ("mod", [-1, 1, 1]), ("real_div", [-2, 3, 2])]
)
def test_integer_division(name: str, wanted: Any, run_operation: RunOperation) -> None:
    x, y = np.array([-7, 10, 5], np.int32), np.array([3, 3, 2], np.int32)
    (found,) = run_operation(name, {"x": x, "y": y}, outputs=("int32",))
    assert found.tolist() == wanted


def test_cast_truncates_toward_zero(run_operation: RunOperation) -> None:
    (found,) = run_operation("cast", {"x": np.array([-1.7, 1.7], np.float32)}, {"dtype": "int32"}, ("int32",))
    assert found.tolist() == [-1, 1]


@pytest.mark.parametrize("dtype", ["int32", "int16", "uint16", "int8", "uint8"])
def test_a_cast_of_what_no_integer_holds_is_the_same_on_every_processor(
    dtype: str, run_operation: RunOperation
) -> None:
    x = np.tile(np.array([np.nan, np.inf, -np.inf, 3e9, -3e9], np.float32), 4)
    (found,) = run_operation("cast", {"x": x}, {"dtype": dtype}, ("int32",))
    whole = np.tile(np.array([0, *[2**31 - 1, -(2**31)] * 2]), 4)
    assert found.tolist() == whole.astype(dtype).astype(np.int32).tolist()


@pytest.mark.parametrize(("mode", "wanted"), [("fp32", [2049, 70000, -3]), ("fp16", [2048, np.inf, -3])])
def test_integers_become_halves_where_they_are_stored_as_halves(
    mode: str, wanted: list[float], run_operation: RunOperation
) -> None:
    x = np.array([2049, 70000, -3], np.int32)
    (found,) = run_operation("cast", {"x": x}, {"dtype": "fp16"}, ("fp16",), mode=mode)
    assert found.tolist() == wanted


def test_the_least_integer_by_minus_one_ends_at_the_border(run_operation: RunOperation) -> None:
    x, y = np.full(9, -(2**31), np.int32), np.full(9, -1, np.int32)
    (found,) = run_operation("real_div", {"x": x, "y": y}, outputs=("int32",))
    assert found.tolist() == [2**31 - 1] * 9
    with pytest.raises(PackageError, match=r"`out_0` \(real_div\).* an integer is divided by 0"):
        run_operation("real_div", {"x": x, "y": 0 * y}, outputs=("int32",))


@pytest.mark.parametrize(("name", "wanted"), [("reduce_log_sum", 3), ("reduce_log_sum_exp", 10)])
def test_a_logarithm_of_integers_is_cut(name: str, wanted: int, run_operation: RunOperation) -> None:
    (found,) = run_operation(name, {"x": np.array([10, 9, 8], np.int32)}, {"axes": [0]}, ("int32",))
    assert found == wanted


REDUCTIONS = {
    "reduce_l1_norm": lambda x, a: np.abs(x).sum(a),
    "reduce_l2_norm": lambda x, a: np.sqrt((x**2).sum(a)),
    "reduce_log_sum": lambda x, a: np.log(x.sum(a)),
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
    x = (rng.standard_normal((2, 3, 4)) + (5 if name == "reduce_log_sum" else 0)).astype(np.float32)
    constants = {} if axes is None else {"axes": axes}
    (found,) = run_operation(name, {"x": x}, constants)
    wanted = REDUCTIONS[name](x.astype(np.float64), None if axes is None else tuple(axes))
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    (kept,) = run_operation(name, {"x": x}, {**constants, "keep_dims": True})
    assert kept.ndim == x.ndim


@pytest.mark.parametrize("opset", [16, 17])
def test_argmax_and_argmin_take_the_first_of_equals(opset: int, run_operation: RunOperation) -> None:
    x = np.array([[1, 3, 3], [-2, -2, 5]], np.float32)
    for name, wanted in (("reduce_argmax", [1, 2]), ("reduce_argmin", [0, 0])):
        (found,) = run_operation(name, {"x": x}, {"axis": 1}, ("int32",), opset=opset)
        assert (found.dtype, found.tolist()) == (np.int32, wanted)
