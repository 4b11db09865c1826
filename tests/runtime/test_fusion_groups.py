"""Groups of operations that run as one: the same bits, and never a group that only looks like a known one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.mil.ir import Argument, Block, Constant, Function, Operation, TensorType, Value
from coreml_gate.runtime.compile import compile_function
from coreml_gate.runtime.fusion import fused_block
from tests.runtime.conftest import constant

SHAPE = (1, 2, 3, 5)
Change = Callable[[Operation], Operation]


def made(kind: str, name: str, dtype: str, shape: tuple[int, ...], /, **inputs: Any) -> Operation:
    arguments: dict[str, tuple[Argument, ...]] = {
        key: (value if isinstance(value, str | Constant) else constant(value),)
        for key, value in inputs.items()
    }
    return Operation(kind, name, arguments, {}, (Value(name, TensorType(dtype, shape)),))


def text(value: str) -> Constant:
    return constant(value)


def attention(dtype: str) -> Block:
    """As torch's scaled dot product decomposes and coremltools converts it."""
    rows = (*SHAPE[:-1], 1)
    operations = (
        made("softmax", "p", dtype, SHAPE, x="x", axis=-1),
        made("equal", "masked", "bool", SHAPE, x="x", y=constant(np.float32(-np.inf))),
        made("logical_not", "left", "bool", SHAPE, x="masked"),
        made("cast", "left_int", "int32", SHAPE, x="left", dtype=text("int32")),
        made("reduce_max", "most", "int32", rows, x="left_int", axes=[-1], keep_dims=True),
        made("cast", "any", "bool", rows, x="most", dtype=text("bool")),
        made("logical_not", "none", "bool", rows, x="any"),
        made("fill_like", "zeros", "int32", SHAPE, ref_tensor="p", value=0),
        made("tile", "tiled", "bool", SHAPE, x="none", reps=[1, 1, 1, SHAPE[-1]]),
        made("cast", "promoted", dtype, SHAPE, x="zeros", dtype=text(dtype)),
        made("select", "y", dtype, SHAPE, cond="tiled", a="promoted", b="p"),
    )
    return Block((Value("x", TensorType(dtype, SHAPE)),), operations, ("y",))


def changed(block: Block, name: str, change: Change) -> Block:
    return replace(
        block, operations=tuple(change(item) if item.name == name else item for item in block.operations)
    )


def given(**inputs: Any) -> Change:
    return lambda item: replace(item, inputs={**item.inputs, **made("", "", "", (), **inputs).inputs})


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
@pytest.mark.parametrize("rows", ["none", "masked", "nan"])
def test_softmax_of_masked_rows_gives_the_bits_of_its_parts(
    dtype: str, rows: str, rng: np.random.Generator
) -> None:
    block = attention(dtype)
    plan = compile_function(Function("main", 17, block.inputs, block), "fp16")
    assert plan.unwatched is not None
    assert [step.operation.type for step in plan.unwatched.steps] == ["safe_softmax"]
    x = torch.from_numpy(rng.standard_normal(SHAPE)).to(torch.float16 if dtype == "fp16" else torch.float32)
    x[0, 0, 0, 1] = -torch.inf
    if rows != "none":
        x[0, 1, 2] = -torch.inf
    if rows == "nan":
        x[0, 1, 1, 4] = torch.nan
    (found,), (wanted,) = plan.run([x]), plan.run([x], observe=lambda *_: None)
    assert found.dtype is wanted.dtype is x.dtype
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    assert bool((wanted[0, 1, 2] == 0).all()) is (rows != "none")
    assert int(wanted.isnan().sum()) == (SHAPE[-1] if rows == "nan" else 0)


def test_what_others_read_of_a_group_stays() -> None:
    block = attention("fp32")
    kept = [item.name for item in fused_block(replace(block, outputs=("y", "masked"))).operations]
    assert kept == ["masked", "y"]


IN_FLOAT64 = (Value("y", TensorType("fp64", SHAPE)),)
NEAR_MISSES = {
    "a large number masks": ("masked", given(y=constant(np.float32(-1e9)))),
    "another value is masked": ("masked", given(x="elsewhere")),
    "ones where nothing is left": ("zeros", given(value=1)),
    "zeros below 0": ("zeros", given(value=-0.0)),
    "zeros of another shape": ("zeros", given(ref_tensor="elsewhere")),
    "any instead of all": ("most", lambda item: replace(item, type="reduce_min")),
    "all of another axis": ("most", given(axes=[-2])),
    "softmax of another axis": ("p", given(axis=-2)),
    "no softmax": ("p", lambda item: replace(item, type="sigmoid")),
    "softmax where nothing is left": ("y", given(a="p", b="promoted")),
    "another element type": ("y", lambda item: replace(item, outputs=IN_FLOAT64)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NEAR_MISSES))
def test_a_group_that_differs_stays_as_it_is(name: str) -> None:
    block = changed(attention("fp32"), *NEAR_MISSES[name])
    assert fused_block(block) is block


def test_a_shape_that_is_not_declared_stays_as_it_is() -> None:
    block = attention("fp32")
    kind = TensorType("fp32", (*SHAPE[:-1], None))
    for name in ("p", "y"):
        block = changed(block, name, lambda item: replace(item, outputs=(Value(item.name, kind),)))
    assert fused_block(block) is block
