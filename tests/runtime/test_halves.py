"""Exact operations on halves that run in float32: the bits of the program's own."""

from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.mil.ir import Block, Function, Operation, TensorType, Value
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.fusion.halves import stored_below
from coreml_gate.runtime.plan import ExecutionPlan
from tests.runtime.conftest import constant
from tests.runtime.test_activated_layers import ODD, hard_swish
from tests.runtime.test_fusion import SHAPE, conv, drawn, kinds, on_two
from tests.runtime.test_fusion_groups import made
from tests.runtime.test_tables import HALVES, bits

CUT = {"alpha": constant(np.float16(-3))}
EXACT: list[tuple[str, dict[str, Any]]] = [("relu", {}), ("relu6", {}), ("thresholded_relu", CUT)]


def plan_of(operations: tuple[Operation, ...], shape: tuple[int, ...], *outputs: str) -> ExecutionPlan:
    block = Block((Value("x", TensorType("fp16", shape)),), operations, outputs)
    return compile_function(Function("main", 17, block.inputs, block), "fp16")


def assert_same_bits(plan: ExecutionPlan, x: torch.Tensor) -> None:
    with torch.inference_mode():
        found, wanted = plan.run([x]), plan.run([x], observe=lambda *_: None)
    for one, other in zip(found, wanted, strict=True):
        numbers = ~other.isnan()
        assert torch.equal(one.isnan(), ~numbers)
        assert torch.equal(bits(one[numbers]), bits(other[numbers]))


def acted(kind: str, constants: dict[str, Any], reader: str, *outputs: str) -> tuple[ExecutionPlan, Any]:
    """An operation on all halves, between a product by 1 and a reader; and what it gives."""
    shape = tuple(HALVES.shape)
    operations = (
        made("mul", "a", "fp16", shape, x="x", y=constant(np.float16(1))),
        made(kind, "b", "fp16", shape, x="a", **constants),
        made(reader, "y", "fp16", shape, x="b"),
    )
    plan = plan_of(operations, shape, "y", *outputs)
    assert_same_bits(plan, HALVES)
    unwatched = plan.unwatched or plan
    step = unwatched.steps[1]
    rest = (unwatched.registers[slot] for slot in step.reads[1:])
    return plan, step.call(HALVES.clone(), *rest)


@pytest.mark.parametrize(("kind", "constants"), EXACT)
def test_before_what_widens_all_halves_have_the_programs_bits(kind: str, constants: dict[str, Any]) -> None:
    _, given = acted(kind, constants, "softsign")
    assert given.dtype is torch.float32


@pytest.mark.parametrize(
    ("reader", "outputs"), [("sigmoid", ()), ("erf", ()), ("softsign", ("b",))]
)  # a kernel of halves, a table, an output beside
def test_what_something_else_reads_stays_half(reader: str, outputs: tuple[str, ...]) -> None:
    _, given = acted("relu", {}, reader, *outputs)
    assert given.dtype is torch.float16


@pytest.mark.parametrize("odd", ODD)
def test_a_cut_before_the_rounding_gives_the_bits_of_one_behind_it(odd: str) -> None:
    plan = plan_of((conv("a", "x", "fp16"), *hard_swish("a", "fp16", cut=-3.0)), SHAPE, "y")
    assert kinds(plan) == ["activated_layer", "sigmoid_hard", "mul"]
    x = drawn("fp16") * 3
    x[0, 3, 5, 5] *= ODD[odd]
    assert_same_bits(plan, x)
    assert_same_bits(plan, x * 1e-7)


def test_a_layer_that_something_else_reads_is_rounded_first() -> None:
    operations = (conv("a", "x", "fp16"), *hard_swish("a", "fp16", cut=-3.0))
    plan = plan_of((*operations, on_two("add", "b", "a", "y", "fp16")), SHAPE, "b")
    assert kinds(plan)[:2] == ["conv", "thresholded_relu"]


@pytest.mark.parametrize("alpha", [-3.0, 0.0, 0.1, -0.1, 6e-8, -65504.0, 65504.0, 1024.0, -1.0])
def test_the_last_number_that_is_stored_below(alpha: float) -> None:
    last, half = np.float32(stored_below(alpha)), np.float16(alpha)
    with np.errstate(over="ignore"):
        assert np.float16(last) < half <= np.float16(np.nextafter(last, np.float32(np.inf)))
