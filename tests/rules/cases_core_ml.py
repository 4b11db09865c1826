"""Programs that fire the rules on what Core ML refuses or one of its units gets wrong, and their near misses.

Put together from MIL directly: coremltools refuses or rewrites some of them today, other converters do not.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import coremltools as ct
import numpy as np
import torch

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Block, Constant, Function, Operation, TensorType, Value, ValueType
from coreml_gate.rules.catalogue import Facts
from tests.rules import cases_program
from tests.rules.converted import setting, traced
from tests.runtime.conftest import constant

Make = Callable[[], Facts]
Shape = tuple[int | None, ...]


class Values:
    """Operations in a row; each gives one value."""

    def __init__(self, **inputs: ValueType) -> None:
        self.inputs = tuple(Value(name, kind) for name, kind in inputs.items())
        self.operations: list[Operation] = []

    def add(self, kind: str, gives: TensorType, **arguments: Any) -> str:
        """The name of the result; text that starts with ``%`` names a value."""
        name = f"{kind}_{len(self.operations)}"
        given = {key: (_argument(value),) for key, value in arguments.items()}
        self.operations.append(Operation(kind, name, given, {}, (Value(name, gives),)))
        return f"%{name}"

    def facts(self, output: str, opset: int = 17) -> Facts:
        """What rules look at."""
        block = Block(self.inputs, tuple(self.operations), (output.removeprefix("%"),))
        return Facts(setting(), program=Index(Function("main", opset, self.inputs, block)))


def _argument(value: Any) -> str | Constant:
    if isinstance(value, str) and value.startswith("%"):
        return value.removeprefix("%")
    return constant(value)


def half(*shape: int | None) -> TensorType:
    return TensorType("fp16", shape)


def wide(*shape: int | None) -> TensorType:
    return TensorType("fp32", shape)


def whole(*shape: int | None) -> TensorType:
    return TensorType("int32", shape)


def one(
    kind: str,
    x: TensorType,
    gives: TensorType | None = None,
    *,
    name: str = "x",
    opset: int = 17,
    **arguments: Any,
) -> Facts:
    """One operation on an input."""
    values = Values(**{name: x})
    return values.facts(values.add(kind, gives or x, **{name: f"%{name}", **arguments}), opset)


def two(
    kind: str, first: tuple[str, TensorType], second: tuple[str, TensorType], gives: TensorType, **more: Any
) -> Facts:
    """One operation on two inputs."""
    values = Values(**dict((first, second)))
    named = {name: f"%{name}" for name, _ in (first, second)}
    return values.facts(values.add(kind, gives, **named, **more))


def pool(kind: str = "avg_pool", size: int = 7, **arguments: Any) -> Facts:
    options = {
        "kernel_sizes": [2, 2],
        "strides": [3, 3],
        "pad_type": "custom",
        "pad": [0] * 4,
        "ceil_mode": True,
    }
    options |= {"exclude_padding_from_average": False} if kind == "avg_pool" else {}
    return one(kind, half(1, 2, size, size), **(options | arguments))


def scaled(rounding: str, factor: float) -> Facts:
    values = Values(x=half(1, 8))
    made = values.add(rounding, half(1, 8), x="%x")
    return values.facts(values.add("mul", half(1, 8), x=made, y=np.float16(factor)))


def remainder(before: str) -> Facts:
    values = Values(x=wide(4))
    return values.facts(values.add("mod", wide(4), x=values.add(before, wide(4), x="%x"), y=np.float32(3)))


def requantized(scale: float) -> Facts:
    values = Values(x=TensorType("int8", (8,)))
    x = values.add("dequantize", half(8), input="%x", scale=np.float16(0.0625))
    product = values.add("mul", half(8), x=x, y=x)
    steps = values.add(
        "quantize", TensorType("int8", (8,)), input=product, scale=np.float16(scale), output_dtype="int8"
    )
    return values.facts(values.add("dequantize", half(8), input=steps, scale=np.float16(scale)))


def palette(*, scale: bool) -> Facts:
    values = Values(x=half(1, 8))
    weight = values.add("constexpr_lut_to_dense", half(4, 8), indices=np.zeros((4, 8), np.uint8))
    if scale:
        weight = values.add(
            "constexpr_blockwise_shift_scale", half(4, 8), data=weight, scale=np.ones((4, 1), np.float16)
        )
    return values.facts(values.add("linear", half(1, 4), x="%x", weight=weight))


def state(*, kept: bool) -> Facts:
    values = Values(x=half(4), cache=half(4))
    y = values.add("add", half(4), x="%x", y="%x")
    values.add("write_state", half(4), input="%cache", data=y)
    return values.facts(y if kept else values.add("mul", half(4), x=y, y=np.float16(1)))


@cache
def rolled(shift: int, *, flexible: bool) -> Facts:
    size = ct.RangeDim(4, 64, 8) if flexible else 8
    return traced(
        lambda x: torch.roll(x, shift, 1),
        torch.rand(2, 8),
        types=[ct.TensorType(name="x0", shape=(2, size))],
        minimum_deployment_target=ct.target.iOS16,
    )


def attention(batch: int, mask: Shape = (8, 8)) -> Facts:
    query = ("query", half(batch, 4, 8, 16))
    return two(
        "scaled_dot_product_attention",
        query,
        ("attn_mask", half(*mask)),
        half(batch, 4, 8, 16),
        key="%query",
        value="%query",
    )


def cropped(*box: float) -> Facts:
    return one(
        "crop_resize", half(1, 4, 8, 8), boxes=np.float32([box]), box_coordinate_mode="CORNERS_HEIGHT_FIRST"
    )


def convolved(height: int, width: int) -> Facts:
    return one(
        "conv", half(1, 4, 64, 64), weight=np.zeros((4, 4, height, width), np.float16), pad_type="same"
    )


def transposed(size: int) -> Facts:
    weight = np.zeros((4, 4, 4, 4), np.float16)
    return one(
        "conv_transpose", half(1, 4, 8, 8), weight=weight, strides=[2, 2], pad_type="custom", pad=[1] * 4,
        output_shape=[1, 4, size, size],
    )  # fmt: skip


_pad = partial(one, "pad", wide(1, 2, 4, 4, 4), constant_val=np.float32(0))
_slice = partial(one, "slice_by_index", wide(4), wide(1))
_scatter = partial(one, "scatter", wide(4), name="data", updates=np.float32([1]), mode="update", axis=0)
_gather = partial(one, "gather", wide(2, 12), axis=0)
_nms = partial(one, "non_maximum_suppression", name="boxes", opset=17)
_upsample = partial(one, "upsample_nearest_neighbor", half(1, 4, 8, 8), scale_factor_height=np.float32(2))
_norm = partial(one, "layer_norm", wide(2, 3, 4, 5))
_quantize = partial(one, "quantize", wide(4), TensorType("int8", (4,)), name="input", output_dtype="int8")
_prelu = partial(one, "prelu", wide(1, 3, 8))

CASES: Mapping[str, tuple[Make, Make, str]] = {
    "vector-matmul": (
        lambda: two("matmul", ("x", wide(4)), ("y", wide(4, 2)), wide(2)),
        lambda: two("matmul", ("x", wide(1, 4)), ("y", wide(4, 2)), wide(1, 2)),
        "fp32[4] as x",
    ),
    "padded-borders": (
        lambda: _pad(mode="replicate", pad=[1, 1, 0, 1, 1, 0]),
        lambda: _pad(mode="replicate", pad=[0, 0, 0, 1, 1, 0]),
        "replicate over 3 axes",
    ),
    "linear-of-integers": (
        lambda: one("linear", whole(1, 4), weight=np.ones((4, 4), np.int32)),
        lambda: one("linear", wide(1, 4), weight=np.ones((4, 4), np.float32)),
        "`linear` of int32",
    ),
    "negative-scale": (
        lambda: _quantize(scale=np.float32([0.5, -0.25])),
        lambda: _quantize(scale=np.float32([0.5, 0.25])),
        "a scale of -0.25",
    ),
    "reduced-scalar": (
        lambda: one("reduce_sum", wide()),
        lambda: one("reduce_sum", wide(1), wide(), axes=[0]),
        "of a scalar",
    ),
    "scattered-norm-axes": (
        lambda: _norm(axes=[1, 3]),
        lambda: _norm(axes=[3, 2]),
        "the axes [1, 3]",
    ),
    "scalar-index-of-rank-5": (
        lambda: one("gather", wide(2, 2, 2, 2, 2), wide(2, 2, 2, 2), indices=np.int32(1), axis=4),
        lambda: one("gather", wide(2, 2, 2, 2), wide(2, 2, 2), indices=np.int32(1), axis=3),
        "from five axes",
    ),
    "batch-norm-of-rank-5": (
        lambda: one("batch_norm", wide(1, 2, 3, 3, 3), mean=np.zeros(2, np.float32)),
        lambda: one("batch_norm", wide(1, 2, 3, 3), mean=np.zeros(2, np.float32)),
        "five axes",
    ),
    "output-becomes-state": (lambda: state(kept=True), lambda: state(kept=False), "`add_0` is an output"),
    "scalar-slice-update": (
        lambda: one("slice_update", wide(4), update=np.float32(1), begin=[0], end=[1]),
        lambda: one("slice_update", wide(4), update=np.float32([1]), begin=[0], end=[1]),
        "with a scalar",
    ),
    "resize-to-its-own-size": (
        lambda: one("resize", wide(1, 2, 4, 4), shape=[0, 8], resized_dims=2),
        lambda: one("resize", wide(1, 2, 4, 4), shape=[4, 8], resized_dims=2),
        "[0, 8]",
    ),
    "flexible-attention-mask": (
        lambda: attention(1, (None, None)),
        lambda: attention(1),
        "its mask is fp16[?, ?]",
    ),
    "scalar-input": (lambda: one("abs", wide()), lambda: one("abs", wide(1)), "`x` is fp32[]"),
    "byte-input": (
        lambda: one("cast", TensorType("int8", (4,)), wide(4), dtype="fp32"),
        lambda: one("cast", whole(4), wide(4), dtype="fp32"),
        "`x` is int8[4]",
    ),
    "flexible-mean-on-ios-15": (
        lambda: one("reduce_mean", wide(1, None), wide(1), axes=[1], opset=15),
        lambda: one("reduce_mean", wide(1, None), wide(1), axes=[1], opset=16),
        "fp32[1, ?]",
    ),
    "flexible-roll": (
        lambda: rolled(-2, flexible=True),
        lambda: rolled(2, flexible=True),
        "the shift -2",
    ),
    "negative-modulus": (
        lambda: remainder("tanh"),
        lambda: remainder("relu"),
        "sign of its first operand",
    ),
    "averaged-beyond-the-end": (pool, lambda: pool(size=8), "1 beyond the end"),
    "window-outside": (
        lambda: pool("max_pool", 9, kernel_sizes=[1, 1], strides=[3, 3]),
        lambda: pool("max_pool", 10, kernel_sizes=[1, 1], strides=[3, 3]),
        "kernel smaller than its stride",
    ),
    "pool-with-lower-padding": (
        lambda: one("max_pool", wide(1, 2, 8), kernel_sizes=[2], pad_type="same_lower"),
        lambda: one("max_pool", wide(1, 2, 8, 8), kernel_sizes=[2, 2], pad_type="same_lower"),
        "over one axis",
    ),
    "backward-slice-of-one": (
        lambda: one("slice_by_index", wide(1), wide(1), begin=[-1], end=[-2], stride=[-1]),
        lambda: _slice(begin=[-1], end=[-2], stride=[-1]),
        "from -1 to -2",
    ),
    "scatter-at-negative-index": (
        lambda: _scatter(indices=[-1], opset=18),
        lambda: _scatter(indices=[-1], opset=17),
        "`scatter` at -1",
    ),
    "gather-outside": (
        lambda: _gather(indices=[1, 10]),
        lambda: _gather(indices=[1, -2]),
        "the index 10 of 2",
    ),
    "undefined-crop": (
        lambda: cropped(2, 2, 1, 1),
        lambda: cropped(1, 1, 2, 2),
        "the box [2.0, 2.0, 1.0, 1.0]",
    ),
    "sorted-ties": (
        lambda: one("argsort", whole(8), axis=0),
        lambda: one("argsort", wide(8), whole(8), axis=0),
        "`argsort` of int32",
    ),
    "range-of-small-steps": (
        lambda: one("range_1d", wide(), wide(None), name="end", start=np.float32(0), step=np.float32(1e-4)),
        lambda: one("range_1d", wide(), wide(None), name="end", start=np.float32(0), step=np.float32(0.5)),
        "by 0.0001",
    ),
    "integer-beyond-float32": (
        lambda: one("mul", whole(4), y=np.int32(16777217)),
        lambda: one("mul", whole(4), y=np.array([16777216, 2**31 - 1, -(2**31)], np.int32)),
        "16,777,217",
    ),
    "prelu-by-channel": (
        lambda: _prelu(alpha=np.float32([1, 2, 3])),
        lambda: _prelu(alpha=np.float32([2, 2, 2])),
        "3 slopes on 3 axes",
    ),
    "state-on-the-engine": (cases_program.short_state, cases_program.small_program, "is a state"),
    "scaled-rounding": (lambda: scaled("floor", -1.2), lambda: scaled("abs", -1.2), "`floor`, then a factor"),
    "requantized-product": (
        lambda: requantized(0.125),
        lambda: requantized(0.0625),
        "scale 0.125 after 0.0625",
    ),
    "rounded-on-the-engine": (
        lambda: one("round", half(4)),
        lambda: one("round", wide(4)),
        "`round` in FP16",
    ),
    "attention-of-many": (lambda: attention(10), lambda: attention(9), "a batch of 10"),
    "suppressed-in-half": (
        lambda: _nms(half(1, 4, 1000)),
        lambda: _nms(wide(1, 4, 1000)),
        "1,000 boxes",
    ),
    "fractional-upsample": (
        lambda: _upsample(scale_factor_width=np.float32(1.5)),
        lambda: _upsample(scale_factor_width=np.float32(3)),
        "factors 2 and 1.5",
    ),
    "crop-on-the-gpu": (
        lambda: one("crop_resize", half(1, 4, 8, 8), boxes=np.zeros((1, 4), np.float16)),
        lambda: one("crop", half(1, 4, 8, 8), crop_height=[1, 1], crop_width=[1, 1]),
        "`crop_resize`",
    ),
    "scaled-palette": (lambda: palette(scale=True), lambda: palette(scale=False), "scaled"),
    "wide-kernel": (lambda: convolved(3, 14), lambda: convolved(14, 3), "3 by 14"),
    "pool-beyond-its-padding": (
        lambda: pool(kernel_sizes=[7, 7], strides=[4, 4], pad=[3] * 4, ceil_mode=False),
        lambda: pool(kernel_sizes=[7, 7], strides=[1, 1], pad=[3] * 4, ceil_mode=False),
        "kernel [7, 7]",
    ),
    "recurrent-in-half": (
        lambda: one("lstm", half(8, 1, 4)),
        lambda: one("lstm", wide(8, 1, 4)),
        "`lstm` in FP16",
    ),
    "inverse-of-halves": (lambda: one("inverse", half(4)), lambda: one("inverse", wide(4)), "in FP16"),
    "l2-pool-of-halves": (
        lambda: pool("l2_pool"),
        lambda: one("l2_pool", wide(1, 2, 7, 7), kernel_sizes=[2, 2], pad_type="valid"),
        "in FP16",
    ),
    "transposed-to-a-shape": (lambda: transposed(17), lambda: transposed(16), "[17, 17]"),
}
"""By rule: what fires it, what nearly does, and words of the match."""
