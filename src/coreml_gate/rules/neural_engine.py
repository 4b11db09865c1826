"""The Neural Engine: operations that move to the GPU or the CPU, or use it inefficiently."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from coreml_gate.mil.index import Index
from coreml_gate.rules.evidence import CONVERTER_PASSES, NEURAL_ENGINE_TRANSFORMERS, TYPED_EXECUTION
from coreml_gate.rules.rule import Match, Setting, rule

_UNSUPPORTED: Final = "https://github.com/hollance/neural-engine (docs/unsupported-layers.md)"
_MANY_ELEMENTS: Final = 4096
_NARROW_ELEMENTS: Final = 32768
_MOVES: Final = frozenset({"transpose", "reshape", "concat", "split", "expand_dims", "squeeze"})
_LEAST_MOVES: Final = 24
_MOVED_SHARE: Final = 0.5
_FEW_OPERATIONS: Final = 3
_LONG_ARGMAX: Final = 2048
_FIVE_AXES: Final = 5
_NO_ENGINE_PATH: Final = (
    *("mod", "logical_and", "logical_or", "logical_xor", "reduce_prod"),
    *("reverse_sequence", "band_part", "non_zero", "one_hot", "sliding_windows"),
    *("tan", "asin", "acos", "atanh", "sinh", "cosh"),
    *("random_bernoulli", "random_categorical", "random_normal"),
)
_LARGE_STRIDE: Final = 4
_DESIGN_RULES: Final = "https://github.com/sbryngelson/ane-guide (part-5-practice/17-model-design-rules.md)"
_SURFACE: Final = "https://github.com/sbryngelson/ane-guide (part-1-machine/04-capability-surface.md)"
_CAPABILITIES: Final = "https://github.com/sbryngelson/ane-guide (appendices/a-op-device-matrix.md)"


@rule(
    "recurrent-layer",
    "perf",
    on="program",
    evidence=("apple/coremltools#1780", _UNSUPPORTED),
    fix="Recurrent layers never run on the Neural Engine. A causal convolution or attention does:\n"
    "nn.Conv1d(c, c, kernel_size=3, padding=2)",
)
def recurrent_layer(program: Index) -> Iterator[Match]:
    """The program has a recurrent layer."""
    yield from _all_of(program, "lstm", "gru", "rnn")


def _all_of(program: Index, *types: str) -> Iterator[Match]:
    for operation in program.of(*types):
        yield Match(operation.name, f"`{operation.type}`")


@rule(
    "dilated-convolution",
    "perf",
    on="program",
    evidence=(_UNSUPPORTED,),
    fix="Dilated convolutions do not run on the Neural Engine. Use a larger kernel, or two plain layers.",
)
def dilated_convolution(program: Index) -> Iterator[Match]:
    """A convolution is dilated."""
    for operation in program.of("conv"):
        dilations = program.numbers(operation, "dilations")
        if dilations is not None and bool((dilations > 1).any()):
            yield Match(operation.name, f"dilations {dilations.reshape(-1).tolist()}")


@rule(
    "run-time-gather",
    "perf",
    on="program",
    evidence=(_UNSUPPORTED, "apple/coremltools#1103", "roboflow/rf-detr#1495"),
    fix="Gathers run on the CPU. Multiply a small table by a one-hot matrix, or do the lookup in the app.",
)
def run_time_gather(program: Index) -> Iterator[Match]:
    """Many elements are gathered by computed indices."""
    for operation in program.of("gather", "gather_along_axis", "gather_nd"):
        large = program.elements(operation.name) >= _MANY_ELEMENTS
        if large and program.name(operation, "indices") in program.varying:
            yield Match(operation.name, f"`{operation.type}` with indices known only at run time")


@rule(
    "scatter",
    "perf",
    on="program",
    evidence=(_UNSUPPORTED,),
    fix="Assignments by index run on the CPU. Concatenate or mask instead:\n"
    "torch.cat([x[:, :1] * 0, x[:, 1:]], dim=1)",
)
def scatter(program: Index) -> Iterator[Match]:
    """The program scatters: it assigns by index."""
    yield from _all_of(program, "scatter", "scatter_along_axis", "scatter_nd")


@rule(
    "sorting",
    "perf",
    on="program",
    evidence=("roboflow/rf-detr#1495",),
    fix="Sorting runs on the CPU. Do it last, or in the app (Vision does non-maximum suppression itself).",
)
def sorting(program: Index) -> Iterator[Match]:
    """The program sorts, takes the top k, or runs non-maximum suppression."""
    yield from _all_of(program, "topk", "argsort", "non_maximum_suppression")


@rule(
    "integer-arithmetic",
    "perf",
    on="program",
    evidence=(TYPED_EXECUTION,),
    fix="The Neural Engine computes only in FP16. Cast once, at the input:\nx = ids.to(torch.float32)",
)
def integer_arithmetic(program: Index) -> Iterator[Match]:
    """Large tensors are computed in int32."""
    for operation in program.of(
        "add", "sub", "mul", "floor_div", "mod", "equal", "greater", "less", "select"
    ):
        dtype = program.input_dtype(operation, "a" if operation.type == "select" else "x")
        count = program.elements(operation.name)
        if dtype == "int32" and count >= _MANY_ELEMENTS:
            yield Match(operation.name, f"`{operation.type}` on {count} int32 elements")


@rule(
    "three-dimensional-layer",
    "perf",
    on="program",
    evidence=("apple/coremltools#1368",),
    fix="Fold one axis into the batch or the channels, and use a two-dimensional layer.",
)
def three_dimensional_layer(program: Index) -> Iterator[Match]:
    """A convolution or a pool runs over three dimensions."""
    for operation in program.of("conv", "conv_transpose", "max_pool", "avg_pool"):
        shape = program.input_shape(operation, "x")
        if len(shape) == 5:  # noqa: PLR2004 - batch, channels and three axes of space
            yield Match(operation.name, f"`{operation.type}` over three dimensions")


@rule(
    "computed-kernel",
    "perf",
    on="program",
    evidence=("apple/coremltools#2536",),
    fix="Compute the weight (weight standardisation, LoRA) once before the export, so that it is a "
    "constant:\n"
    "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')",
)
def computed_kernel(program: Index) -> Iterator[Match]:
    """The weight of a convolution is computed at run time."""
    for operation in program.of("conv", "conv_transpose"):
        if program.name(operation, "weight") in program.varying:
            yield Match(operation.name, "its weight is computed while the model runs")


@rule(
    "large-stride",
    "perf",
    on="program",
    evidence=("apple/coremltools#2173",),
    fix="Core ML's log says: product of at most 2 interleave factors. Use two layers, of strides 2 and 4.",
)
def large_stride(program: Index) -> Iterator[Match]:
    """A convolution has large strides."""
    for operation in program.of("conv"):
        strides = program.numbers(operation, "strides")
        kernel = program.input_shape(operation, "weight")[2:]
        if strides is None or not kernel or int(np.prod(strides)) <= _LARGE_STRIDE**2:
            continue
        if tuple(strides.reshape(-1).tolist()) != tuple(kernel):  # a patch embedding is not a problem
            yield Match(operation.name, f"strides {strides.reshape(-1).tolist()}, kernel {list(kernel)}")


@rule(
    "no-engine-path",
    "perf",
    on="program",
    evidence=(_CAPABILITIES,),
    fix="No Neural Engine from M1 to M5 runs it. Compute it in the app, or with other operations; a "
    "product of positive numbers, for example, by their logarithms:\n"
    "x.log().sum(-1).exp()",
)
def no_engine_path(program: Index) -> Iterator[Match]:
    """Many elements go through an operation that no Neural Engine runs."""
    for operation in program.of(*_NO_ENGINE_PATH):
        elements = program.elements(program.name(operation, "x") or operation.name)
        if elements >= _MANY_ELEMENTS and operation.name in program.varying:
            yield Match(operation.name, f"`{operation.type}` of {elements:,} elements")


@rule(
    "matmul-of-rank-5",
    "perf",
    on="program",
    evidence=(_SURFACE,),
    fix="The Neural Engine rejects it (M1). Merge two of the batch axes:\n"
    "(q.flatten(0, 1) @ k.flatten(0, 1).mT).unflatten(0, q.shape[:2])",
)
def matmul_of_rank_5(program: Index) -> Iterator[Match]:
    """Matrices of rank 5 are multiplied in FP16."""
    for operation in program.of("matmul"):
        if len(program.shape(operation.name)) == _FIVE_AXES and program.is_half(operation):
            yield Match(operation.name, "`matmul` of five axes")


@rule(
    "sine-before-a15",
    "perf",
    on="program",
    evidence=(_SURFACE,),
    fix="The Neural Engine computes sin and cos only from A15 and M3 on. Read from a table that is "
    "computed once:\n"
    "self.register_buffer('sine', positions.sin())",
)
def sine_before_a15(program: Index) -> Iterator[Match]:
    """Many sines or cosines are computed while the model runs."""
    for operation in program.of("sin", "cos"):
        count = program.elements(operation.name)
        if operation.name in program.varying and count >= _MANY_ELEMENTS:
            yield Match(operation.name, f"`{operation.type}` of {count:,} elements")


@rule(
    "narrow-last-axis",
    "perf",
    on="program",
    evidence=(NEURAL_ENGINE_TRANSFORMERS,),
    fix="The last axis is padded to 64 bytes, 32 FP16 values. Put the long axis last, as (batch, "
    "channels, 1, length).",
)
def narrow_last_axis(program: Index) -> Iterator[Match]:
    """A large tensor has a last axis of length 1."""
    for operation in program.operations:
        for value in operation.outputs:
            shape = program.shape(value.name)
            rank_four = len(shape) == 4 and shape[-1] == 1  # noqa: PLR2004 - batch, channels, height, width
            if rank_four and shape[2] not in {1, None} and program.elements(value.name) >= _NARROW_ELEMENTS:
                yield Match(
                    operation.name, f"`{operation.type}` gives {value.type}: each row is padded to 64 bytes"
                )


@rule(
    "float32-program",
    "perf",
    on="program",
    evidence=(TYPED_EXECUTION,),
    fix='The Neural Engine computes only in FP16, so it is never used:\nprecision = "float16"',
)
def float32_program(program: Index) -> Iterator[Match]:
    """The whole package computes in float32."""
    heavy = [
        item for item in program.of("conv", "conv_transpose", "linear", "matmul") if not program.is_half(item)
    ]
    all_heavy = list(program.of("conv", "conv_transpose", "linear", "matmul"))
    if heavy and len(heavy) == len(all_heavy):
        yield Match(heavy[0].name, f"all {len(heavy)} convolutions and products compute in float32")


@rule(
    "no-neural-engine",
    "info",
    on="setting",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/load-and-convert-model.html",),
    fix='compute-units = "ALL"',
)
def no_neural_engine(setting: Setting) -> Iterator[Match]:
    """The configuration switches the Neural Engine off."""
    units = setting.config.compute_units
    if units in {"CPU_ONLY", "CPU_AND_GPU"}:
        yield Match("compute-units", f"`compute-units` is `{units}`")


@rule(
    "many-moves",
    "perf",
    on="program",
    evidence=(NEURAL_ENGINE_TRANSFORMERS,),
    fix="Keep one layout through the model: (batch, channels, 1, length), with 1x1 "
    "convolutions as linear layers.",
)
def many_moves(program: Index) -> Iterator[Match]:
    """Most operations only move elements."""
    moves = [operation for operation in program.operations if operation.type in _MOVES]
    share = len(moves) / max(len(program.operations), 1)
    if len(moves) >= _LEAST_MOVES and share > _MOVED_SHARE:
        yield Match(moves[0].name, f"{len(moves)} of {len(program.operations)} operations only move elements")


@rule(
    "tiny-program",
    "info",
    on="program",
    evidence=("vx-lang/Vx#436",),
    fix="Handing over to another compute unit costs more than computing. Measure with CPU_ONLY first.",
)
def tiny_program(program: Index) -> Iterator[Match]:
    """The program is too small to be worth leaving the CPU."""
    heavy = list(program.of("conv", "conv_transpose", "linear", "matmul", "lstm", "gru"))
    largest = max(
        (program.elements(value.name) for item in program.operations for value in item.outputs), default=0
    )
    if len(program.operations) <= _FEW_OPERATIONS and heavy and largest < _MANY_ELEMENTS:
        yield Match(
            heavy[0].name, f"{len(program.operations)} operations, values of {largest} elements at most"
        )


@rule(
    "long-argmax",
    "perf",
    on="program",
    evidence=("apple/coremltools#1003", _DESIGN_RULES),
    fix="The Neural Engine allows 2,048 at most (measured on M1). Return the logits, and take the argmax "
    "in the app.",
)
def long_argmax(program: Index) -> Iterator[Match]:
    """An argmax runs over more elements than the Neural Engine allows."""
    for operation in program.of("reduce_argmax", "reduce_argmin"):
        size = program.size(program.name(operation, "x"), program.scalar(operation, "axis") or 0)
        if size > _LONG_ARGMAX:
            yield Match(operation.name, f"`{operation.type}` over {size} elements")


@rule(
    "unfolded-batch-norm",
    "perf",
    on="program",
    evidence=(CONVERTER_PASSES,),
    fix="Let the pass `common::fuse_conv_batchnorm` run (see `skip-passes`), or fold it in torch:\n"
    "torch.nn.utils.fusion.fuse_conv_bn_eval(conv, norm)",
)
def unfolded_batch_norm(program: Index) -> Iterator[Match]:
    """A batch norm after a convolution was not folded into it."""
    for operation in program.of("batch_norm"):
        made = program.producers.get(program.name(operation, "x") or "")
        alone = made is not None and len(program.readers.get(made.name, ())) == 1
        if made is not None and alone and made.type in {"conv", "conv_transpose"}:
            yield Match(operation.name, f"not folded into `{made.name}` before it")


@rule(
    "sampling-layer",
    "perf",
    on="program",
    evidence=("apple/coremltools#1875", "apple/coremltools#2299"),
    fix="grid_sample and similar operations run on the CPU or the GPU. Warp in the app, with Core Image "
    "or Metal.",
)
def sampling_layer(program: Index) -> Iterator[Match]:
    """The model resamples at computed coordinates."""
    yield from _all_of(program, "local_response_norm", "crop_resize", "resample", "affine")
