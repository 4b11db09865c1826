from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.errors import PackageError, UsageError
from coreml_gate.runtime.ops.neural_engine import engine_half
from coreml_gate.runtime.precision import check_mode, store, widen
from tests.runtime.conftest import RunOperation
from tests.runtime.ulps import ulps

ALL_HALVES = np.arange(2**16, dtype=np.uint16).view(np.float16)


WIDE = {
    "acos": np.arccos,
    "asin": np.arcsin,
    "atanh": np.arctanh,
    "atan": np.arctan,
    "cos": np.cos,
    "cosh": np.cosh,
    # torch's float32 kernel is 1e-7 off near zero, several subnormal halves: the wide result is that one.
    "erf": lambda x: torch.erf(torch.from_numpy(x).float()).numpy(),
    "exp": np.exp,
    "exp2": np.exp2,
    "gelu": lambda x: torch.nn.functional.gelu(torch.from_numpy(x).float()).numpy(),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: torch.nn.functional.silu(torch.from_numpy(x)).numpy(),
    "sin": np.sin,
    "sinh": np.sinh,
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: torch.nn.functional.softsign(torch.from_numpy(x)).numpy(),
    "sqrt": np.sqrt,
    "square": np.square,
    "tan": np.tan,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", sorted(WIDE))
def test_round_is_one_rounding_of_the_wide_result_for_every_half(
    name: str, run_operation: RunOperation
) -> None:
    with np.errstate(all="ignore"):
        wanted = WIDE[name](ALL_HALVES.astype(np.float64)).astype(np.float16)
    (found,) = run_operation(name, {"x": ALL_HALVES}, outputs=("fp16",))
    assert found.dtype == np.float16
    assert ulps(found, wanted).max() <= 1


EXACT = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "round": np.round,
}


@pytest.mark.parametrize("name", sorted(EXACT))
def test_exact_equals_numpy_for_every_half(name: str, run_operation: RunOperation) -> None:
    finite = ALL_HALVES[~np.isnan(ALL_HALVES)]
    (found,) = run_operation(name, {"x": finite}, outputs=("fp16",))
    np.testing.assert_array_equal(found, EXACT[name](finite))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("real_div", np.divide)],
)
def test_binary_operations_equal_numpy_half_arithmetic(
    name: str, wanted: Any, run_operation: RunOperation, rng: np.random.Generator
) -> None:
    x, y = rng.permutation(ALL_HALVES), rng.permutation(ALL_HALVES)
    (found,) = run_operation(name, {"x": x, "y": y}, outputs=("fp16",))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, wanted(x, y))


def test_overflow_becomes_infinite_and_subnormals_stay(run_operation: RunOperation) -> None:
    large, small = np.full(2, 60000, np.float16), np.full(2, 6e-8, np.float16)
    (overflow,) = run_operation("add", {"x": large, "y": large}, outputs=("fp16",))
    (subnormal,) = run_operation("mul", {"x": small, "y": np.ones(2, np.float16)}, outputs=("fp16",))
    assert np.isposinf(overflow).all()
    assert subnormal[0] == np.float16(6e-8) > 0


def test_sums_are_wide_inside_and_round_at_the_end(run_operation: RunOperation) -> None:
    x = np.full((1, 4096), 100, np.float16)
    (mean,) = run_operation("reduce_mean", {"x": x}, {"axes": [-1]}, ("fp16",))
    (total,) = run_operation("reduce_sum", {"x": x}, {"axes": [-1]}, ("fp16",))
    (product,) = run_operation("matmul", {"x": x, "y": x.T.copy() / 4096}, outputs=("fp16",))
    assert mean == 100
    assert np.isposinf(total).all()
    assert abs(float(product[0, 0]) - 100 * 100) / 1e4 < 2e-3


def test_fp32_mode_never_rounds(run_operation: RunOperation) -> None:
    x = np.array([1, 60000], np.float16)
    (found,) = run_operation(
        "add", {"x": x, "y": np.array([1e-3, 60000], np.float16)}, outputs=("fp16",), mode="fp32"
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [1 + np.float32(np.float16(1e-3)), 120000], rtol=1e-7)


def test_a_half_input_of_a_float32_operation_gives_a_float32_result(run_operation: RunOperation) -> None:
    (found,) = run_operation("cast", {"x": np.array([1.5], np.float16)}, {"dtype": "fp32"}, ("fp32",))
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("computed", "declared"),
    [("float32", "int32"), ("int32", "float32"), ("bool", "float16"), ("bool", "int32"), ("int64", "bool")],
)
def test_a_number_of_another_kind_than_declared_is_refused(computed: str, declared: str) -> None:
    message = rf"gives torch.{computed}, but the program declares torch.{declared}"
    with pytest.raises(PackageError, match=message):
        store(torch.ones(1).to(getattr(torch, computed)), getattr(torch, declared))


def test_the_operation_whose_type_differs_is_named(run_operation: RunOperation) -> None:
    x = np.ones(2, np.float32)
    with pytest.raises(PackageError, match=r"operation `out_0` \(less\): gives torch\.bool, but .*\.float32"):
        run_operation("less", {"x": x, "y": x}, outputs=("fp32",))


def test_widen_leaves_everything_but_half_alone() -> None:
    assert widen(torch.ones(1, dtype=torch.float16)).dtype is torch.float32
    integers = torch.ones(1, dtype=torch.int32)
    assert widen(integers) is integers


def test_a_mode_that_is_not_offered_names_those_that_are() -> None:
    with pytest.raises(
        UsageError, match=r"no mode `bf16`\.\nHint: choose one of fp32, fp16, neural-engine\."
    ):
        check_mode("bf16")


ENGINE: dict[str, tuple[dict[str, Any], dict[str, Any], float, float]] = {
    # type: values, constants, plain result, Neural Engine estimate
    "reduce_mean": ({"x": np.full((1, 50_176), 100, np.float16)}, {"axes": [-1]}, 100, 100),
    "reduce_sum": ({"x": np.full((1, 8192), 0.31, np.float16)}, {"axes": [-1]}, 2540, 2554),
    "reduce_log_sum_exp": ({"x": np.full((1, 32), 7.65, np.float16)}, {"axes": [-1]}, 11.114, 0),
    "softplus": ({"x": np.full((1, 1), 12, np.float16)}, {}, 12, 0),
    "relu": ({"x": np.full((1, 1), 12, np.float16)}, {}, 12, 12),
    "matmul": (
        {"x": np.full((1, 33), 1000, np.float16), "y": np.ones((33, 1), np.float16)},
        {},
        33000,
        np.inf,
    ),
    "add": ({"x": np.full(1, 30000, np.float16), "y": np.full(1, 30000, np.float16)}, {}, 60000, 60000),
    "mul": ({"x": np.full(1, 1e-3, np.float16), "y": np.full(1, 1e-3, np.float16)}, {}, 1e-6, 0),
    "round": ({"x": np.array([2.5], np.float16)}, {}, 2, 3),
    "layer_norm": ({"x": np.array([[400, -400]], np.float16)}, {"axes": [-1]}, 1, 1),
    "log": ({"x": np.zeros(1, np.float16)}, {"epsilon": np.float16(0)}, -np.inf, -45440),
    "sqrt": ({"x": np.array([-1], np.float16)}, {}, np.nan, 0),
    "sigmoid": ({"x": np.array([np.nan], np.float16)}, {}, np.nan, 1),
    "sub": ({"x": np.full(1, np.inf, np.float16), "y": np.full(1, np.inf, np.float16)}, {}, np.nan, 0),
    "softmax": ({"x": np.array([np.inf, 1], np.float16)}, {}, np.nan, 1),
    "real_div": ({"x": np.ones(1, np.float16), "y": np.full(1, -0.0, np.float16)}, {}, -np.inf, np.inf),
}


@pytest.mark.parametrize("name", sorted(ENGINE))
def test_the_neural_engine_estimate_follows_what_was_measured(name: str, run_operation: RunOperation) -> None:
    values, constants, plain, engine = ENGINE[name]
    for mode, wanted in (("fp16", plain), ("neural-engine", engine)):
        (found,) = run_operation(name, values, constants, ("fp16",), mode=mode)
        assert found.flat[0] == pytest.approx(wanted, rel=2e-3, abs=1e-7, nan_ok=True)


def test_the_neural_engine_leaves_float32_operations_alone(run_operation: RunOperation) -> None:
    (found,) = run_operation("softplus", {"x": np.full(1, 200, np.float32)}, mode="neural-engine")
    assert found[0] == 200


@pytest.mark.parametrize("kind", ["relu", "identity", "maximum", "select"])
def test_a_nan_is_infinite_to_the_neural_engine_wherever_it_comes_in(
    kind: str, run_operation: RunOperation
) -> None:
    nan, one = np.full(1, np.nan, np.float16), np.ones(1, np.float16)
    values: dict[str, dict[str, Any]] = {"maximum": {"x": nan, "y": one}, "select": {"b": one}}
    constants = {"a": nan, "cond": np.array([True])} if kind == "select" else {}

    for mode, wanted in (("fp16", np.nan), ("neural-engine", np.inf)):
        (found,) = run_operation(kind, values.get(kind, {"x": nan}), constants, ("fp16",), mode=mode)
        assert found[0] == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(
    ("exact", "wanted"),
    [
        (2049.0, 2050),  # sbryngelson/ANEForge docs/numeric-cliffs.md; to even it is 2048
        (-2049.0, -2050),
        (2051.0, 2052),
        (1024.5, 1025),
        (6.0022e-5, 2**-14),  # as its square root of 0.0078125 in #263 tells
        (1e-6, 0),
        (65519.0, 65504),
        (65520.0, np.inf),
        (-np.inf, -np.inf),
        (np.nan, np.nan),
        (0.1, np.float16(0.1)),
    ],
)
def test_the_neural_engine_rounds_ties_away_and_has_no_subnormals(exact: float, wanted: float) -> None:
    (found,) = engine_half(torch.tensor([exact])).tolist()
    assert found == pytest.approx(wanted, abs=0, rel=0, nan_ok=True)
