"""Programs that fire the rules on half precision, shapes, residency and memory, and their near misses."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it
from coremltools.converters.mil.mil import types

from coreml_gate.mil.package import read_package
from coreml_gate.rules.catalogue import Facts
from tests.rules.converted import FLOAT, Program, facts, setting, traced

Make = Callable[[], Facts]
RNG = np.random.default_rng(0)


def weight(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.standard_normal(shape).astype(np.float32)


@cache
def formulas() -> Facts:
    def build(x: Any, long: Any, q: Any, k: Any) -> Any:
        e = mb.exp(x=x)
        mean, square = mb.reduce_mean(x=x, axes=[-1], keep_dims=True), mb.mul(x=x, y=x)
        scores = mb.mul(x=mb.matmul(x=q, y=k, transpose_y=True), y=np.float32(0.125))
        return (
            mb.softplus(x=x),
            mb.reduce_log_sum_exp(x=x, axes=[-1]),
            mb.log(x=mb.softmax(x=x, axis=-1)),
            mb.log(x=mb.sigmoid(x=x)),
            mb.reduce_sum(x=long, axes=[-1]),
            mb.real_div(x=e, y=mb.reduce_sum(x=e, axes=[-1], keep_dims=True)),
            mb.sub(x=mb.reduce_mean(x=square, axes=[-1], keep_dims=True), y=mb.mul(x=mean, y=mean)),
            mb.softmax(x=scores, axis=-1),
            mb.layer_norm(x=x, axes=[-1], epsilon=np.float32(1e-12)),
        )

    return Program().of(build, (1, 64), (1, 8192), (1, 4, 64), (1, 4, 64))


@cache
def stable_formulas() -> Facts:
    def build(x: Any, y: Any, q: Any, k: Any) -> Any:
        shifted = mb.sub(x=x, y=mb.reduce_max(x=x, axes=[-1], keep_dims=True))
        e = mb.exp(x=shifted)
        centred = mb.sub(x=x, y=mb.reduce_mean(x=x, axes=[-1], keep_dims=True))
        bounded = mb.real_div(x=x, y=mb.reduce_max(x=mb.abs(x=x), axes=[-1], keep_dims=True))
        scaled = mb.mul(x=q, y=np.float32(0.125))
        return (
            mb.add(
                x=mb.relu(x=x),
                y=mb.log(x=mb.add(x=mb.exp(x=mb.mul(x=mb.abs(x=x), y=np.float32(-1))), y=np.float32(1))),
            ),
            mb.log(x=mb.reduce_sum(x=e, axes=[-1])),
            mb.sub(x=mb.softmax(x=x, axis=-1), y=mb.sigmoid(x=x)),
            mb.real_div(x=e, y=mb.reduce_sum(x=e, axes=[-1], keep_dims=True)),
            mb.reduce_sum(x=y, axes=[-1]),
            mb.reduce_mean(x=mb.mul(x=bounded, y=bounded), axes=[-1]),
            mb.sub(
                x=mb.reduce_mean(x=mb.mul(x=x, y=y), axes=[-1], keep_dims=True),
                y=mb.reduce_mean(x=centred, axes=[-1], keep_dims=True),
            ),
            mb.softmax(x=mb.matmul(x=scaled, y=k, transpose_y=True), axis=-1),
            mb.layer_norm(x=x, axes=[-1], epsilon=np.float32(1e-5)),
        )

    return Program().of(build, (1, 64), (1, 64), (1, 4, 64), (1, 4, 64))


@cache
def lost_constants() -> Facts:
    mask = np.where(np.eye(8) > 0, 0, -1e9).astype(np.float32)
    mask[3] = -1e9
    stamps = np.arange(4000, 4008, dtype=np.float32) + 1

    def build(x: Any) -> Any:
        return (
            mb.softmax(x=mb.add(x=x, y=mask), axis=-1),
            mb.maximum(x=x, y=np.float32(1e-9)),
            mb.mul(x=x, y=stamps),
        )

    return Program(twin=True).of(build, (8, 8))


@cache
def kept_constants() -> Facts:
    mask = np.where(np.eye(8) > 0, 0, -1e4).astype(np.float32)
    mask[3] = -1e4

    def build(x: Any) -> Any:
        return (
            mb.softmax(x=mb.add(x=x, y=mask), axis=-1),
            mb.maximum(x=x, y=np.float32(1e-4)),
            mb.mul(x=x, y=np.arange(2040, 2048, dtype=np.float32)),
        )

    return Program(twin=True).of(build, (8, 8))


@cache
def half_indices() -> Facts:
    def build(ids: Any) -> Any:
        return mb.gather(x=weight(4096, 4), indices=mb.cast(x=ids, dtype="int32"), axis=0)

    return Program().of(build, mb.TensorSpec(shape=(1, 8), dtype=types.fp16))


@cache
def few_half_indices() -> Facts:
    def build(ids: Any) -> Any:
        return mb.gather(x=weight(2048, 4), indices=mb.cast(x=ids, dtype="int32"), axis=0)

    return Program().of(build, mb.TensorSpec(shape=(1, 8), dtype=types.fp16))


def _islands(types_: frozenset[str]) -> Facts:
    def build(x: Any) -> Any:
        return mb.tanh(x=mb.exp(x=mb.sin(x=mb.cos(x=x))))

    selector = ct.transform.FP16ComputePrecision(op_selector=lambda op: op.op_type not in types_)
    return Program(precision=selector).of(build, (4, 8))


@cache
def island() -> Facts:
    return _islands(frozenset({"exp"}))


@cache
def continent() -> Facts:
    return _islands(frozenset({"exp", "tanh"}))


@cache
def mask_beyond_half() -> Facts:
    """The converter leaves the product in float32, because a half of its constant is infinite."""
    return Program().of(lambda x: mb.tanh(x=mb.mul(x=mb.cos(x=x), y=np.float32(-1e9))), (4, 8))


@cache
def high_rank() -> Facts:
    return facts_with_rank(6)


def facts_with_rank(rank: int) -> Facts:
    """coremltools itself refuses more than five dimensions, other converters do not: the type is edited."""
    shape = (1,) * (rank - 2) + (4, 8)
    made = Program().of(lambda x: mb.relu(x=x), (1, 1, 1, 4, 8))
    assert made.package is not None
    spec = type(made.package.spec).FromString(made.package.spec.SerializeToString())
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    for operation in block.operations:
        if operation.type == "relu":
            kind = operation.outputs[0].type.tensorType
            kind.rank = rank
            del kind.dimensions[:]
            for size in shape:
                kind.dimensions.add().constant.size = size
    (made.package.path / "Data/com.apple.CoreML/model.mlmodel").write_bytes(spec.SerializeToString())
    return facts(read_package(made.package.path))


def _empty(begin: int) -> Facts:
    def build(x: Any) -> Any:
        return mb.concat(values=[x, mb.slice_by_index(x=x, begin=[begin, 0], end=[4, 8])], axis=0)

    return Program(skip=frozenset({"common::noop_elimination"})).of(build, (4, 8))


@cache
def empty() -> Facts:
    return _empty(4)


@cache
def not_empty() -> Facts:
    return _empty(3)


def _flexible(shape: Any, build: Any = None) -> Facts:
    types_ = [ct.TensorType(name="x0", shape=shape)]
    module = torch.nn.Sequential(
        torch.nn.Linear(8, 8), torch.nn.LayerNorm(8) if build == "norm" else torch.nn.ReLU()
    )
    return traced(module, torch.zeros(1, 8), types=types_)


@cache
def ranged() -> Facts:
    return _flexible((ct.RangeDim(1, 512, default=1), 8))


@cache
def narrow_range() -> Facts:
    return _flexible((ct.RangeDim(1, 4, default=1), 8))


@cache
def enumerated() -> Facts:
    return _flexible(
        ct.EnumeratedShapes(shapes=[[size, 8] for size in range(1, 130)], default=[1, 8]), "norm"
    )


@cache
def few_shapes() -> Facts:
    return _flexible(ct.EnumeratedShapes(shapes=[[1, 8], [2, 8]], default=[1, 8]))


@cache
def fixed() -> Facts:
    return _flexible((1, 8), "norm")


@cache
def open_range() -> Facts:
    made = ranged()
    assert made.package is not None
    spec = type(made.package.spec).FromString(made.package.spec.SerializeToString())
    spec.description.input[0].type.multiArrayType.shapeRange.sizeRanges[0].upperBound = -1
    (made.package.path / "Data/com.apple.CoreML/model.mlmodel").write_bytes(spec.SerializeToString())
    return facts(read_package(made.package.path))


def _two_inputs(both: bool) -> Facts:
    shapes = ct.EnumeratedShapes(shapes=[[1, 8], [2, 8]], default=[1, 8])
    types_ = [
        ct.TensorType(name="x0", shape=shapes),
        ct.TensorType(name="x1", shape=shapes if both else (1, 8)),
    ]
    return traced(
        lambda a, b: (a * 2, b * 3),
        torch.zeros(1, 8),
        torch.zeros(1, 8),
        types=types_,
        minimum_deployment_target=ct.target.iOS18,
    )


@cache
def paired() -> Facts:
    return _two_inputs(both=True)


@cache
def unpaired() -> Facts:
    return _two_inputs(both=False)


@cache
def dynamic() -> Facts:
    def build(x: Any, n: Any) -> Any:
        size = mb.concat(values=[n, np.array([-1], dtype=np.int32)], axis=0)

        def true_() -> Any:
            return mb.relu(x=x)

        def false_() -> Any:
            return mb.tanh(x=x)

        flag = mb.greater(x=mb.reduce_sum(x=x, axes=[0, 1]), y=np.float32(0))
        return (
            mb.reshape(x=x, shape=size),
            mb.non_zero(x=x),
            mb.cond(pred=flag, _true_fn=true_, _false_fn=false_),
        )

    return Program().of(build, (4, 8), mb.TensorSpec(shape=(1,), dtype=types.int32))


@cache
def static() -> Facts:
    def build(x: Any) -> Any:
        chosen = mb.select(cond=mb.greater(x=x, y=np.float32(0)), a=mb.relu(x=x), b=mb.tanh(x=x))
        return mb.reshape(x=chosen, shape=[8, -1])

    return Program().of(build, (4, 8))


def _long(size: int) -> Facts:
    return Program().of(lambda x: (mb.relu(x=x), mb.reduce_argmax(x=x, axis=-1)), (1, size))


@cache
def long_axis() -> Facts:
    return _long(65536)


@cache
def fair_axis() -> Facts:
    return _long(16384)


def _half_output(size: int) -> Facts:
    outputs = [ct.TensorType(name="y", dtype=np.float16)]
    return traced(torch.nn.ReLU(), torch.zeros(4, size), outputs=outputs)


@cache
def odd_rows() -> Facts:
    return _half_output(100)


@cache
def even_rows() -> Facts:
    return _half_output(128)


@cache
def off_engine() -> Facts:
    def build(x: Any, seq: Any, vol: Any, ids: Any, tall: Any, kernel: Any, grid: Any, plane: Any) -> Any:
        size = 8
        zeros = np.zeros((1, size), dtype=np.float32)
        lstm = mb.lstm(
            x=seq,
            initial_h=zeros,
            initial_c=zeros,
            weight_ih=weight(4 * size, size),
            weight_hh=weight(4 * size, size),
            bias=weight(4 * size),
        )
        return (
            lstm[0],
            mb.conv(x=x, weight=weight(4, 4, 3, 3), dilations=[6, 6], pad_type="same"),
            mb.gather(x=weight(64, 64), indices=ids, axis=0),
            mb.scatter(
                data=tall,
                indices=np.array([0], dtype=np.int32),
                updates=np.zeros((1, 4, 8192, 1), np.float32),
                axis=0,
            ),
            mb.topk(x=x, k=2, axis=-1)[0],
            mb.mul(x=ids, y=np.int32(3)),
            mb.conv(x=vol, weight=weight(4, 4, 3, 3, 3)),
            mb.conv(x=x, weight=kernel),
            mb.conv(x=plane, weight=weight(4, 4, 16, 16), strides=[8, 8]),
            mb.relu(x=tall),
            mb.resample(
                x=x,
                coordinates=grid,
                sampling_mode="bilinear",
                padding_mode="constant",
                padding_value=np.float32(0),
                coordinates_mode="normalized_minus_one_to_one",
                align_corners=False,
            ),
        )

    int_ids = mb.TensorSpec(shape=(4096,), dtype=types.int32)
    return Program().of(
        build,
        (1, 4, 16, 16),
        (2, 1, 8),
        (1, 4, 4, 8, 8),
        int_ids,
        (1, 4, 8192, 1),
        (4, 4, 3, 3),
        (1, 8, 8, 2),
        (1, 4, 64, 64),
    )


@cache
def on_engine() -> Facts:
    def build(x: Any, vol: Any, ids: Any, tall: Any, plane: Any) -> Any:
        return (
            mb.conv(x=x, weight=weight(4, 4, 3, 3), dilations=[1, 1], pad_type="same"),
            mb.gather(x=weight(64, 4), indices=ids, axis=0),
            mb.concat(values=[tall, tall], axis=1),
            mb.reduce_max(x=x, axes=[-1]),
            mb.mul(x=ids, y=np.int32(3)),
            mb.relu(x=vol),
            mb.conv(x=plane, weight=weight(4, 4, 16, 16), strides=[16, 16]),
            mb.upsample_bilinear(x=x, scale_factor_height=2.0, scale_factor_width=2.0),
        )

    int_ids = mb.TensorSpec(shape=(8,), dtype=types.int32)
    return Program().of(build, (1, 4, 16, 16), (1, 4, 4, 8, 8), int_ids, (1, 4, 1, 8192), (1, 4, 64, 64))


@cache
def wide_program() -> Facts:
    return Program(precision=FLOAT).of(lambda x: mb.linear(x=x, weight=weight(8, 8)), (1, 8))


@cache
def small_program() -> Facts:
    return Program().of(lambda x: mb.linear(x=x, weight=weight(8, 8)), (1, 8))


@cache
def larger_program() -> Facts:
    return Program().of(lambda x: mb.linear(x=x, weight=weight(8, 8)), (1024, 8))


def _moving(products: int) -> Facts:
    def build(x: Any) -> Any:
        for number in range(26):
            x = mb.transpose(x=x, perm=[0, 2, 1])
            x = mb.reshape(
                x=x,
                shape=[1, 4 + number % 2, -1]
                if x.shape[1] * x.shape[2] % (4 + number % 2) == 0
                else [1, 5, -1],
            )
            for _ in range(products):
                x = mb.sin(x=x)
        return x

    return Program().of(build, (1, 4, 40))


@cache
def moving() -> Facts:
    return _moving(1)


@cache
def computing() -> Facts:
    return _moving(4)


def _normed(shared: bool) -> Facts:
    def build(x: Any) -> Any:
        y = mb.conv(x=x, weight=weight(4, 4, 3, 3))
        norm = mb.batch_norm(
            x=y, mean=weight(4), variance=np.ones(4, np.float32), gamma=weight(4), beta=weight(4)
        )
        return (norm, mb.relu(x=y)) if shared else norm

    skip = frozenset() if shared else frozenset({"common::fuse_conv_batchnorm"})
    return Program(skip=skip).of(build, (1, 4, 16, 16))


@cache
def unfolded() -> Facts:
    return _normed(shared=False)


@cache
def shared() -> Facts:
    return _normed(shared=True)


@cache
def hungry() -> Facts:
    def build(q: Any, image: Any, cheap: Any) -> Any:
        return (
            mb.softmax(x=mb.matmul(x=q, y=q, transpose_y=True), axis=-1),
            mb.conv(x=image, weight=weight(2, 64, 5, 5), pad_type="same"),
            mb.conv(x=cheap, weight=weight(2, 4, 3, 3), dilations=[6, 6], pad_type="same"),
        )

    return Program().of(build, (8, 4096, 8), (1, 64, 512, 512), (1, 4, 16, 16))


@cache
def modest() -> Facts:
    def build(q: Any, image: Any, cheap: Any) -> Any:
        return (
            mb.softmax(x=mb.matmul(x=q, y=q, transpose_y=True), axis=-1),
            mb.conv(x=image, weight=weight(2, 64, 1, 1), pad_type="same"),
            mb.conv(x=cheap, weight=weight(2, 4, 3, 3), dilations=[2, 2], pad_type="same"),
        )

    return Program().of(build, (4, 1024, 8), (1, 64, 512, 512), (1, 4, 16, 16))


def _stateful(length: int) -> Facts:
    def build(x: Any, cache_: Any) -> Any:
        return mb.add(x=mb.read_state(input=cache_), y=x)

    spec = mb.StateTensorSpec(shape=(1, 64, length), dtype=types.fp16)
    half = mb.TensorSpec(shape=(1, 64, length), dtype=types.fp16)
    return Program(target=ct.target.iOS18).of(build, half, spec)


@cache
def long_state() -> Facts:
    return _stateful(2_000_000)


@cache
def short_state() -> Facts:
    return _stateful(1000)


@cache
def cpu_only() -> Facts:
    return Facts(setting(options={"compute_units": "CPU_ONLY"}))


@cache
def all_units() -> Facts:
    return Facts(setting())


CASES: Mapping[str, tuple[Make, Make, str]] = {
    "fp16-infinite-constant": (lost_constants, kept_constants, "up to 1e+09"),
    "fp16-masked-row": (lost_constants, kept_constants, "1 rows are fully masked"),
    "fp16-changed-constant": (lost_constants, kept_constants, "1e-09 becomes 5.96e-08"),
    "fp16-rounded-integers": (lost_constants, kept_constants, "4 of 8 whole numbers"),
    "fp16-tiny-epsilon": (formulas, stable_formulas, "`layer_norm` with epsilon"),
    "fp16-indices": (half_indices, few_half_indices, "4096 rows"),
    "fp16-cast-pairs": (island, continent, "`exp` alone"),
    "fp16-softplus": (formulas, stable_formulas, "`softplus`"),
    "fp16-log-sum-exp": (formulas, stable_formulas, "`reduce_log_sum_exp`"),
    "fp16-log-softmax": (formulas, stable_formulas, "`softmax`"),
    "fp16-log-sigmoid": (formulas, stable_formulas, "`sigmoid`"),
    "fp16-squares": (formulas, stable_formulas, "above 255"),
    "fp16-long-sum": (formulas, stable_formulas, "8192 FP16 values"),
    "fp16-unshifted-softmax": (formulas, stable_formulas, "exp / sum(exp)"),
    "fp16-variance-of-squares": (formulas, stable_formulas, "cancels"),
    "fp16-late-scale": (formulas, stable_formulas, "scaled by 0.125"),
    "rank-above-5": (high_rank, lambda: facts_with_rank(5), "fp16[1, 1, 1, 1, 4, 8]"),
    "empty-value": (empty, not_empty, "fp16[0, 8]"),
    "range-shape": (ranged, few_shapes, "1 to 512"),
    "open-range": (open_range, narrow_range, "without an upper bound"),
    "wide-range": (ranged, narrow_range, "512 times"),
    "enumerated-layer-norm": (enumerated, fixed, "1 `layer_norm`"),
    "too-many-shapes": (enumerated, few_shapes, "129 enumerated shapes"),
    "paired-enumerations": (paired, unpaired, "`x0`, `x1`"),
    "run-time-shape": (dynamic, static, "`reshape` takes its shape at run time"),
    "data-dependent-size": (dynamic, static, "its size depends on the values"),
    "control-flow": (dynamic, static, "`cond`"),
    "long-axis": (long_axis, fair_axis, "fp16[1, 65536]"),
    "long-argmax": (lambda: _long(2049), lambda: _long(2048), "2049 elements"),
    "unaligned-fp16-output": (odd_rows, even_rows, "rows of 100 FP16 values"),
    "recurrent-layer": (off_engine, on_engine, "`lstm`"),
    "dilated-convolution": (off_engine, on_engine, "[6, 6]"),
    "run-time-gather": (off_engine, on_engine, "`gather`"),
    "scatter": (off_engine, on_engine, "`scatter`"),
    "sorting": (off_engine, on_engine, "`topk`"),
    "integer-arithmetic": (off_engine, on_engine, "4096 int32 elements"),
    "three-dimensional-layer": (off_engine, on_engine, "`conv` over three dimensions"),
    "computed-kernel": (off_engine, on_engine, "computed while the model runs"),
    "large-stride": (off_engine, on_engine, "[8, 8]"),
    "narrow-last-axis": (off_engine, on_engine, "[1, 4, 8192, 1]"),
    "sampling-layer": (off_engine, on_engine, "`resample`"),
    "float32-program": (wide_program, small_program, "all 1 convolutions"),
    "no-neural-engine": (cpu_only, all_units, "CPU_ONLY"),
    "many-moves": (moving, computing, "only move elements"),
    "tiny-program": (small_program, larger_program, "values of 8 elements"),
    "unfolded-batch-norm": (unfolded, shared, "not folded into"),
    "dilated-kernel-memory": (hungry, modest, "18.8 times"),
    "attention-memory": (hungry, modest, "268 MB"),
    "large-value": (hungry, modest, "268 MB"),
    "im2col-memory": (hungry, modest, "MB"),
    "large-states": (long_state, short_state, "256 MB"),
}
"""By rule: what fires it, what nearly does, and words of the match."""
