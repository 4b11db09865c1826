"""Fused steps give the bits of the program's own, and overwrite nothing that somebody still reads."""

from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.mil.ir import Block, Constant, Function, Operation, TensorType, Value
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.fusion.trial import TriedCall
from coreml_gate.runtime.packed import available
from coreml_gate.runtime.plan import ExecutionPlan
from tests.runtime.conftest import constant
from tests.runtime.test_fusion_groups import made

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")

SHAPE = (1, 32, 14, 14)
DTYPES = {"fp16": np.float16, "fp32": np.float32}


def weight(dtype: str, seed: int) -> Constant:
    drawn = np.random.default_rng(seed).standard_normal((32, 32, 3, 3)) / 17
    return constant(drawn.astype(DTYPES[dtype]))


def conv(name: str, x: str, dtype: str = "fp32") -> Operation:
    return made("conv", name, dtype, SHAPE, x=x, weight=weight(dtype, len(name)), pad_type=constant("same"))


def on_two(kind: str, name: str, x: str, y: str, dtype: str = "fp32") -> Operation:
    return made(kind, name, dtype, SHAPE, x=x, y=y)


def relu(name: str, x: str, dtype: str = "fp32") -> Operation:
    return made("relu", name, dtype, SHAPE, x=x)


def plan_of(
    operations: tuple[Operation, ...], outputs: tuple[str, ...], dtype: str = "fp32"
) -> ExecutionPlan:
    block = Block((Value("x", TensorType(dtype, SHAPE)),), operations, outputs)
    return compile_function(Function("main", 17, block.inputs, block), "fp16")


def kinds(plan: ExecutionPlan) -> list[str]:
    assert plan.unwatched is not None
    return [step.operation.type for step in plan.unwatched.steps]


def both(plan: ExecutionPlan, x: torch.Tensor) -> tuple[Any, Any]:
    """What an unwatched and a watched run give; neither may change its input."""
    given = x.clone()
    with torch.inference_mode():
        found = plan.run([given])
        assert torch.equal(given.nan_to_num(), x.nan_to_num())
        return found, plan.run([given], observe=lambda *_: None)


def drawn(dtype: str = "fp32") -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(9).standard_normal(SHAPE).astype(DTYPES[dtype]))


def residual_net(dtype: str) -> ExecutionPlan:
    """Two blocks; the second adds onto what the first gave."""
    operations = (
        conv("a", "x", dtype),
        relu("b", "a", dtype),
        conv("cc", "b", dtype),
        relu("d", "cc", dtype),
        conv("eee", "d", dtype),
        on_two("add", "f", "b", "eee", dtype),
        relu("g", "f", dtype),
        conv("hhhh", "g", dtype),
        on_two("add", "y", "hhhh", "g", dtype),
    )
    return plan_of(operations, ("y",), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("odd", [0.0, np.nan, np.inf])
def test_a_residual_net_gives_the_same_bits_watched_or_not(dtype: str, odd: float) -> None:
    plan, x = residual_net(dtype), drawn(dtype)
    x[0, 3, 5, 5] += odd
    for _ in range(2):
        (found,), (wanted,) = both(plan, x)
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    assert bool(wanted.isnan().any()) is bool(np.isnan(odd) or np.isinf(odd))


def test_sums_are_fused_in_float32_only() -> None:
    assert kinds(residual_net("fp32")).count("residual_sum") == 1, "a layer never adds onto its own operand"
    assert kinds(residual_net("fp16")).count("residual_sum") == 0


def test_nothing_is_added_onto_what_is_read_again_or_given_out() -> None:
    again = (conv("a", "x"), conv("bb", "a"), on_two("add", "c", "a", "bb"), on_two("mul", "y", "c", "a"))
    assert "residual_sum" not in kinds(plan_of(again, ("y",)))
    assert "residual_sum" not in kinds(plan_of(again[:3], ("c", "a")))
    onto_input = (conv("a", "x"), on_two("add", "y", "a", "x"))
    assert "residual_sum" not in kinds(plan_of(onto_input, ("y",)))
    product_given_out = (conv("a", "x"), conv("bb", "a"), on_two("add", "c", "a", "bb"))
    assert "residual_sum" not in kinds(plan_of(product_given_out, ("c", "bb")))


@pytest.mark.parametrize("operands", [("square", "a"), ("a", "square")])
def test_a_sum_keeps_its_layout_for_what_adds_it_up(operands: tuple[str, str]) -> None:
    """The layer's result has its channels last, the square has not: a sum follows its first operand."""
    operations = (
        on_two("mul", "square", "x", "x"),
        conv("a", "x"),
        on_two("add", "sum", *operands),
        made("reduce_mean", "mean", "fp32", (), x="sum", axes=[1, 2, 3], keep_dims=False),
        made("softmax", "y", "fp32", SHAPE, x="sum", axis=1),
    )
    plan = plan_of(operations, ("mean", "y"))
    assert "residual_sum" in kinds(plan)
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = torch.from_numpy(rng.standard_normal(SHAPE).astype(np.float32))
        for found, wanted in zip(*both(plan, x), strict=True):
            np.testing.assert_array_equal(found.numpy(), wanted.numpy())


def test_a_layer_that_is_added_to_itself_is_no_sum_of_two() -> None:
    plan = plan_of((conv("a", "x"), on_two("add", "y", "a", "a")), ("y",))
    assert "residual_sum" not in kinds(plan)
    for found, wanted in zip(*both(plan, drawn()), strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_computed_in_place_keeps_its_layout_for_what_adds_it_up(dtype: str) -> None:
    """The second operand, which may be overwritten, has its channels last; the first has not."""
    operations = (
        on_two("mul", "square", "x", "x", dtype),
        conv("a", "x", dtype),
        on_two("add", "sum", "square", "a", dtype),
        made("reduce_mean", "mean", dtype, (), x="sum", axes=[1, 2, 3], keep_dims=False),
        on_two("mul", "again", "square", "square", dtype),
    )
    plan = plan_of(operations, ("mean", "again"), dtype)
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = torch.from_numpy(rng.standard_normal(SHAPE).astype(DTYPES[dtype]))
        for found, wanted in zip(*both(plan, x), strict=True):
            np.testing.assert_array_equal(found.numpy(), wanted.numpy())


def test_a_view_keeps_its_tensor_from_being_overwritten() -> None:
    view = made("reshape", "view", "fp32", (32, 196), x="a", shape=[32, 196])
    back = made("reshape", "back", "fp32", SHAPE, x="view", shape=list(SHAPE))
    operations = (conv("a", "x"), view, relu("r", "a"), back, on_two("add", "y", "back", "r"))
    (found,), (wanted,) = both(plan_of(operations, ("y",)), drawn())
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    assert float(wanted.min()) < 0


def test_a_layer_is_not_moved_behind_what_overwrites_its_operand() -> None:
    """``d`` adds onto ``a``; so ``bb``, which reads ``a``, cannot be left to the last sum."""
    operations = (
        conv("a", "x"),
        conv("bb", "a"),
        conv("ccc", "x"),
        on_two("add", "d", "a", "ccc"),
        conv("eeee", "d"),
        on_two("add", "y", "eeee", "bb"),
    )
    plan = plan_of(operations, ("y",))
    for _ in range(2):
        (found,), (wanted,) = both(plan, drawn())
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_threshold_in_place_keeps_the_threshold_itself(dtype: str) -> None:
    threshold = made("thresholded_relu", "b", dtype, SHAPE, x="a", alpha=constant(DTYPES[dtype](0.1)))
    same = on_two("mul", "y", "b", "b", dtype)
    plan, x = plan_of((on_two("add", "a", "x", "x", dtype), threshold, same), ("y",), dtype), drawn(dtype)
    x[0, 0, 0, :2] = torch.tensor([0.05, 0.04])
    (found,), (wanted,) = both(plan, x)
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    assert found[0, 0, 0, 0] > 0 == found[0, 0, 0, 1]


@pytest.mark.parametrize("kind", ["add", "mul", "sub", "real_div"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_elementwise_operations_in_place_keep_their_values(kind: str, dtype: str) -> None:
    operations = (
        conv("a", "x", dtype),
        conv("bb", "x", dtype),
        on_two(kind, "c", "a", "x", dtype),
        on_two(kind, "d", "x", "bb", dtype),
        on_two(kind, "y", "c", "d", dtype),
    )
    (found,), (wanted,) = both(plan_of(operations, ("y",), dtype), drawn(dtype))
    assert found.dtype is wanted.dtype
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())


def test_a_call_that_differs_where_numbers_end_never_serves() -> None:
    def swallows(x: torch.Tensor) -> torch.Tensor:
        return x.relu().nan_to_num(0, torch.inf, 0)

    tried = TriedCall(swallows, torch.relu, lambda _: True)
    found = tried(torch.tensor([1.0, torch.nan, -1.0, 2.0]))
    assert found.isnan().tolist() == [False, True, False, False]
    assert set(tried._equal.values()) == {False}
    assert TriedCall(torch.relu_, torch.relu, lambda _: True)(torch.tensor([-1.0, 2.0])).tolist() == [
        0.0,
        2.0,
    ]


def test_a_call_that_seldom_differs_never_serves_a_small_layer_either() -> None:
    def seldom(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 2, x.nextafter(torch.tensor(9.0)), x.relu())

    tried = TriedCall(seldom, torch.relu, lambda _: True)
    assert tried(torch.tensor([3.0])).tolist() == [3.0]
