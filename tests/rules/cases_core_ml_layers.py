"""Programs for the rules on layers, indices, states and weights of Core ML, and their near misses."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Block, Constant, Function, Operation, StateType, TensorType, Value
from coreml_gate.rules.catalogue import Facts
from tests.rules.cases_core_ml import Make, Values, half, one, two, whole, wide
from tests.rules.converted import setting


def attended(*shape: int) -> Facts:
    return one(
        "scaled_dot_product_attention", half(*shape), name="query", opset=18, key="%query", value="%query"
    )


def weighted_by_softmax(*, turned: bool) -> Facts:
    values = Values(x=half(1, 8, 8))
    scores = values.add("softmax", half(1, 8, 8), x="%x", axis=-1)
    return values.facts(values.add("matmul", half(1, 8, 8), x="%x", y=scores, transpose_y=turned))


def upsampled(*pad: int) -> Facts:
    weight = np.zeros((4, 4, 4, 4), np.float16)
    return one("conv_transpose", half(1, 4, 8, 8), weight=weight, pad_type="custom", pad=list(pad))


def sampled(padding: str, *, aligned: bool) -> Facts:
    return two(
        "resample", ("x", wide(1, 1, 4, 4)), ("coordinates", wide(1, 2, 2, 2)), wide(1, 1, 2, 2),
        padding_mode=padding, align_corners=aligned,
    )  # fmt: skip


def looped(batch: int) -> Facts:
    return one("gru", half(5, batch, 3), half(5, batch, 2), initial_h=np.zeros((batch, 2), np.float16))


def summed(size: int | None) -> Facts:
    values = Values(x=wide(1, 2, size, 4))
    value = values.add("einsum", wide(1, 2, 3, 4), values="%x", equation="nchw,nwhu->nchu")
    return values.facts(value)


def convolved_by(*, computed: bool) -> Facts:
    values = Values(x=half(1, 4, 8, 8), w=half(4, 4, 3, 3))
    weight = "%w" if computed else np.zeros((4, 4, 3, 3), np.float16)
    return values.facts(values.add("conv", half(1, 4, 6, 6), x="%x", weight=weight))


def convolved_batch(batch: int) -> Facts:
    values = Values(x=half(batch, 4, 8, 8), w=half(4, 4, 3, 3))
    return values.facts(values.add("conv", half(batch, 4, 6, 6), x="%x", weight="%w"))


def boxed(far: float) -> Facts:
    options = {"normalized_coordinates": True, "box_coordinate_mode": "CORNERS_HEIGHT_FIRST"}
    return one("crop_resize", half(1, 4, 8, 8), boxes=np.float16([[0, 0, 1, far]]), **options)


def gathered(kind: str, *, computed: bool, validated: bool = True) -> Facts:
    values = Values(x=wide(4, 4), i=whole(2, 2))
    checks = {"validate_indices": False} if validated else {}
    indices = "%i" if computed else np.zeros((2, 2), np.int32)
    return values.facts(values.add(kind, wide(2), x="%x", indices=indices, **checks))


def scattered(opset: int) -> Facts:
    values = Values(x=wide(4, 4), i=whole(2, 2))
    made = values.add("scatter_nd", wide(4, 4), data="%x", indices="%i", updates=np.zeros(2, np.float32))
    return values.facts(made, opset)


def updated(*, state: bool, step: int = 1) -> Facts:
    values = Values(x=wide(4), cache=wide(4))
    held = values.add("read_state", wide(4), input="%cache") if state else "%x"
    made = values.add(
        "slice_update", wide(4), x=held, update=np.zeros(2, np.float32), begin=[0], end=[2], stride=[step]
    )
    return values.facts(made, 18)


def stateful(size: int | None, row: int = 4) -> Facts:
    inputs = (Value("x", wide(1, size)), Value("cache", StateType(half(row))))
    function = Function("main", 18, inputs, Block(inputs, (), ("x",)))
    return Facts(setting(), program=Index(function))


def sought(*, flat: bool) -> Facts:
    values = Values(x=wide(2, 8))
    x = values.add("reshape", wide(16), x="%x", shape=[16]) if flat else "%x"
    return values.facts(values.add("reduce_argmax", whole(1), x=x, axis=-1))


def expanded(kind: str, *shape: int, output: bool = False, **arguments: Any) -> Facts:
    values = Values(x=half(*shape))
    weight = values.add(kind, half(*shape), **arguments)
    return values.facts(weight if output else values.add("add", half(*shape), x="%x", y=weight), 18)


def paletted(*, quantized: bool) -> Facts:
    values = Values(x=half(1, 8))
    table: Any = np.zeros((1, 1, 4, 1), np.float16)
    if quantized:
        entries = np.zeros((1, 1, 4, 1), np.int8)
        scale = np.ones((1, 1, 1, 1), np.float16)
        table = values.add("constexpr_blockwise_shift_scale", half(1, 1, 4, 1), data=entries, scale=scale)
    weight = values.add("constexpr_lut_to_dense", half(4, 8), indices=np.zeros((4, 8), np.uint8), lut=table)
    return values.facts(values.add("linear", half(1, 4), x="%x", weight=weight), 18)


def scaled_weights(columns: int) -> Facts:
    values = Values(x=half(1, 4))
    kind = TensorType("int4", (2, 4))
    data = values.add("const", kind)
    weight = values.add(
        "constexpr_blockwise_shift_scale", half(2, 4), data=data, scale=np.ones((2, columns), np.float16)
    )
    return values.facts(values.add("linear", half(1, 2), x="%x", weight=weight), 18)


def pruned(*, quantized: bool) -> Facts:
    values = Values(x=half(5, 1, 4))
    data: Any = np.zeros(3, np.float16)
    if quantized:
        data = values.add(
            "constexpr_sparse_blockwise_shift_scale", half(3), nonzero_data=np.zeros(3, np.int8)
        )
    weight = values.add("constexpr_sparse_to_dense", half(8, 4), nonzero_data=data)
    return values.facts(values.add("lstm", half(5, 1, 2), x="%x", weight_ih=weight, weight_hh=weight), 18)


def stored(weight: float) -> Facts:
    kind = half(4, 4)
    held = Constant(kind, np.full(16, weight, np.float16))
    values = Values(x=half(1, 4))
    values.operations.append(Operation("const", "w", {}, {"val": held}, (Value("w", kind),)))
    return values.facts(values.add("linear", half(1, 4), x="%x", weight="%w"))


_norm = partial(one, "layer_norm", half(2, 3, 4))
_nms = partial(one, "non_maximum_suppression", name="boxes", opset=17)
_cut = partial(one, "slice_by_index", half(1, 16), half(1, 6), begin=[0, 0], stride=[1, 2])

CASES: Mapping[str, tuple[Make, Make, str]] = {
    "instance-norm-of-rank-5": (
        lambda: one("instance_norm", wide(1, 2, 3, 4, 5)),
        lambda: one("instance_norm", wide(1, 2, 3, 4)),
        "five axes",
    ),
    "attention-of-three-axes": (lambda: attended(1, 8, 16), lambda: attended(1, 1, 8, 16), "three axes"),
    "transposed-attention": (
        lambda: weighted_by_softmax(turned=True),
        lambda: weighted_by_softmax(turned=False),
        "transposed `softmax`",
    ),
    "uneven-transposed-padding": (
        lambda: upsampled(0, 1, 0, 1),
        lambda: upsampled(1, 1, 1, 1),
        "[0, 1, 0, 1]",
    ),
    "mirrored-samples": (
        lambda: sampled("reflection", aligned=False),
        lambda: sampled("reflection", aligned=True),
        "align_corners=False",
    ),
    "gru-of-a-batch": (lambda: looped(2), lambda: looped(1), "2 sequences"),
    "gru-of-two-biases": (
        lambda: one("gru", half(5, 1, 3), half(5, 1, 2), input_bias=np.zeros(6, np.float16)),
        lambda: one("gru", half(5, 1, 3), half(5, 1, 2), bias=np.zeros(6, np.float16)),
        "input bias",
    ),
    "computed-kernel-of-a-batch": (
        lambda: convolved_batch(2),
        lambda: convolved_batch(1),
        "a batch of 2",
    ),
    "squeeze-of-a-long-axis": (
        lambda: one("squeeze", half(1, 3, 4), axes=[0, -2]),
        lambda: one("squeeze", half(1, 3, 4), half(3, 4), axes=[0]),
        "an axis of 3",
    ),
    "flexible-batch-to-space": (
        lambda: one("batch_to_space", half(None, 4, 2, 2), block_shape=[2, 2], crops=[0, 0, 0, 0]),
        lambda: one("batch_to_space", half(4, 4, 2, 2), block_shape=[2, 2], crops=[0, 0, 0, 0]),
        "flexible shape",
    ),
    "crop-outside-in-half": (lambda: boxed(1.5), lambda: boxed(1), "1.5] in FP16"),
    "split-of-a-flexible-shape": (
        lambda: one("split", half(1, None), axis=-1, num_splits=2),
        lambda: one("split", half(None, 8), axis=-1, num_splits=2),
        "length is flexible",
    ),
    "no-engine-path": (
        lambda: one("reduce_prod", half(8, 512), half(8), axes=[-1]),
        lambda: one("reduce_prod", half(8, 511), half(8), axes=[-1]),
        "`reduce_prod` of 4,096 elements",
    ),
    "matmul-of-rank-5": (
        lambda: one("matmul", half(1, 2, 2, 4, 4), y="%x"),
        lambda: one("matmul", half(2, 2, 4, 4), y="%x"),
        "five axes",
    ),
    "sine-before-a15": (
        lambda: one("sin", half(64, 64)),
        lambda: one("sin", half(64, 63)),
        "`sin` of 4,096",
    ),
    "flexible-crop": (
        lambda: one("crop_resize", half(None, 4, 8, 8), boxes=np.float16([[0, 0, 1, 1]])),
        lambda: one("crop_resize", half(1, 4, 8, 8), boxes=np.float16([[0, 0, 1, 1]])),
        "fp16[?, 4, 8, 8]",
    ),
    "flexible-einsum": (lambda: summed(None), lambda: summed(3), "flexible shapes"),
    "weights-as-input": (
        lambda: convolved_by(computed=True),
        lambda: convolved_by(computed=False),
        "computed weights",
    ),
    "norm-off-the-last-axes": (lambda: _norm(axes=[1]), lambda: _norm(axes=[-1, 1]), "the axes [1] of 3"),
    "suppression-at-zero": (
        lambda: _nms(half(1, 4, 100), iou_threshold=np.float16(0)),
        lambda: _nms(half(1, 4, 100), iou_threshold=np.float16(0.01)),
        "a limit of 0",
    ),
    "resize-of-three-axes": (
        lambda: one("resize_bilinear", half(3, 8, 8)),
        lambda: one("resize_bilinear", half(1, 3, 8, 8)),
        "fp16[3, 8, 8]",
    ),
    "functions-by-table": (lambda: one("gelu", half(8)), lambda: one("gelu", wide(8)), "`gelu` in FP16"),
    "vanishing-epsilon": (
        lambda: one("add", half(8), y=np.float16(1e-6)),
        lambda: one("add", half(8), y=np.float16(1e-4)),
        "`add` of 1e-06",
    ),
    "response-norm-off-four-axes": (
        lambda: one("local_response_norm", half(1, 3, 2), size=2),
        lambda: one("local_response_norm", half(1, 3, 2, 1), size=2),
        "fp16[1, 3, 2]",
    ),
    "missing-validate-indices": (
        lambda: gathered("gather", computed=True, validated=False),
        lambda: gathered("gather", computed=True),
        "without validate_indices",
    ),
    "gather-nd-at-run-time": (
        lambda: gathered("gather_nd", computed=True),
        lambda: gathered("gather_nd", computed=False),
        "computed indices",
    ),
    "scatter-nd-at-run-time": (lambda: scattered(17), lambda: scattered(16), "computed indices"),
    "slice-update-with-a-step": (
        lambda: updated(state=False, step=2),
        lambda: updated(state=False),
        "a stride of [2]",
    ),
    "slice-update-off-the-cpu": (
        lambda: updated(state=False),
        lambda: updated(state=True),
        "outside of a state",
    ),
    "slices-of-a-state": (lambda: updated(state=True), lambda: updated(state=False), "of a state"),
    "flexible-state": (lambda: stateful(None), lambda: stateful(4), "beside a state"),
    "unaligned-state": (lambda: stateful(4, 270), lambda: stateful(4, 256), "has rows of 270"),
    "flattened-extreme": (lambda: sought(flat=True), lambda: sought(flat=False), "a flattened value"),
    "strided-slice-before-ios-17": (
        lambda: _cut(end=[1, 12], opset=16),
        lambda: _cut(end=[1, 12], opset=17),
        "the last axis to 12 by 2",
    ),
    "slice-beyond-4094": (
        lambda: _cut(begin=[0, 4], end=[1, 16]),
        lambda: _cut(end=[1, 12]),
        "the last axis from 4",
    ),
    "compressed-output": (
        lambda: expanded("constexpr_lut_to_dense", 4, 8, output=True),
        lambda: expanded("constexpr_lut_to_dense", 4, 8),
        "is an output",
    ),
    "compressed-vector": (
        lambda: expanded("constexpr_lut_to_dense", 8),
        lambda: expanded("constexpr_lut_to_dense", 1, 8),
        "fp16[8]",
    ),
    "palette-of-integers": (
        lambda: paletted(quantized=True),
        lambda: paletted(quantized=False),
        "quantized entries",
    ),
    "scale-per-weight": (lambda: scaled_weights(4), lambda: scaled_weights(1), "int4"),
    "pruned-recurrent-weights": (
        lambda: pruned(quantized=True),
        lambda: pruned(quantized=False),
        "pruned and quantized",
    ),
    "subnormal-weights": (lambda: stored(3e-6), lambda: stored(3e-2), "100% of `weight`"),
}
