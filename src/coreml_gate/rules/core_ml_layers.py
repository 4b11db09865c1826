"""Layers that a compute unit of Core ML rejects or computes wrongly, or whose result is not documented."""

from collections.abc import Iterator
from typing import Final

from coreml_gate.floats import LEAST_NORMAL_HALF
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation
from coreml_gate.rules.evidence import CHROMIUM, FRONT_END_TESTS, MIL_TESTS, TENSORFLOW_TESTS
from coreml_gate.rules.rule import Match, rule

_FIVE_AXES: Final = 5
_FOUR_AXES: Final = 4
_THREE_AXES: Final = 3
_PITFALLS: Final = "https://github.com/sbryngelson/ane-guide (part-5-practice/19-pitfalls-and-limits.md)"


@rule(
    "instance-norm-of-rank-5",
    "fatal",
    on="program",
    evidence=("apple/coremltools#2667",),
    fix="It crashes on the GPU and with all compute units. Merge two axes around it:\n"
    "norm(x.flatten(3)).reshape(x.shape)  # nn.InstanceNorm2d",
)
def instance_norm_of_rank_5(program: Index) -> Iterator[Match]:
    """An instance norm runs on a tensor of rank 5."""
    for operation in program.of("instance_norm"):
        if len(program.input_shape(operation, "x")) == _FIVE_AXES:
            yield Match(operation.name, "`instance_norm` of five axes")


@rule(
    "attention-of-three-axes",
    "info",
    on="program",
    evidence=("MochiDiffusion/MochiDiffusion#521",),
    fix="It crashes on the GPU of macOS 27.2. Give the operands a head axis:\n"
    "F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]",
)
def attention_of_three_axes(program: Index) -> Iterator[Match]:
    """A fused attention has operands of rank 3."""
    for operation in program.of("scaled_dot_product_attention"):
        if len(program.input_shape(operation, "query")) == _THREE_AXES:
            yield Match(operation.name, "`scaled_dot_product_attention` of three axes")


@rule(
    "transposed-attention",
    "info",
    on="program",
    evidence=("ultralytics/ultralytics#25860",),
    fix="In deep networks the GPU's compiler crashes on it (macOS 26.6.1). Use the fused attention:\n"
    "F.scaled_dot_product_attention(q, k, v)",
)
def transposed_attention(program: Index) -> Iterator[Match]:
    """A softmax is transposed before it is multiplied with the values."""
    for operation in program.of("matmul"):
        maker = program.maker(operation, "y")
        turned = bool(program.scalar(operation, "transpose_y"))
        if maker is not None and maker.type == "transpose":
            maker, turned = program.maker(maker, "x"), True
        if turned and maker is not None and maker.type == "softmax":
            yield Match(operation.name, "`matmul` by a transposed `softmax`")


@rule(
    "uneven-transposed-padding",
    "info",
    on="program",
    evidence=("microsoft/onnxruntime#21416", "apple/coremltools#2324"),
    fix="The result is wrong off the CPU, in FP16 shifted (M1). Pad evenly, and crop the result:\n"
    "up(x)[..., :h, :w]",
)
def uneven_transposed_padding(program: Index) -> Iterator[Match]:
    """A transposed convolution is padded unevenly."""
    for operation in program.of("conv_transpose"):
        pad = program.numbers(operation, "pad")
        if pad is not None and len(set(pad.reshape(-1).tolist())) > 1:
            yield Match(operation.name, f"the padding {pad.reshape(-1).tolist()}")


@rule(
    "mirrored-samples",
    "silent",
    on="program",
    evidence=("microsoft/onnxruntime#21431",),
    fix="Core ML returns other values than torch there, on all compute units. Align the corners, or pad "
    "with the border:\n"
    "F.grid_sample(x, grid, padding_mode='border')",
)
def mirrored_samples(program: Index) -> Iterator[Match]:
    """A grid_sample pads by reflection, without aligned corners."""
    for operation in program.of("resample"):
        if program.text(operation, "padding_mode") == "reflection" and not program.scalar(
            operation, "align_corners"
        ):
            yield Match(operation.name, "`resample` with reflection, align_corners=False")


@rule(
    "gru-of-a-batch",
    "silent",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS17/test_recurrent.py (rdar 59644603)",),
    fix="Core ML returns 0 for all but the first sequence. Run the sequences one by one, or let "
    "coremltools convert nn.GRU, which becomes a loop of other operations.",
)
def gru_of_a_batch(program: Index) -> Iterator[Match]:
    """A GRU runs on a batch of more than one sequence."""
    for operation in program.of("gru"):
        batch = program.size(program.name(operation, "x"), 1)
        if batch > 1:
            yield Match(operation.name, f"`gru` of {batch} sequences")


@rule(
    "gru-of-two-biases",
    "unknown",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS18/test_recurrent.py (test_pytorch_parity, rdar 128479517)",),
    fix="coremltools expects its own comparison with torch to fail on Core ML. Let coremltools convert "
    "nn.GRU, which becomes a loop of other operations.",
)
def gru_of_two_biases(program: Index) -> Iterator[Match]:
    """A GRU applies its reset gate after the matrix product, as torch's does."""
    for operation in program.of("gru"):
        if "input_bias" in operation.inputs or program.scalar(operation, "reset_after"):
            yield Match(operation.name, "`gru` with an input bias or reset_after")


@rule(
    "flexible-crop",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_image_resizing.py (rdar 128585772)",),
    fix="Core ML gets the shapes wrong, except on its older CPU engine. Fix the batch and the channels.",
)
def flexible_crop(program: Index) -> Iterator[Match]:
    """Boxes are cropped out of a tensor with a flexible batch or channel axis."""
    for operation in program.of("crop_resize"):
        shape = program.input_shape(operation, "x")
        if None in shape[:2]:
            yield Match(operation.name, f"`crop_resize` of {_written(program, operation)}")


@rule(
    "flexible-einsum",
    "info",
    on="program",
    evidence=(f"{FRONT_END_TESTS}/test_torch_ops.py (rdar 120386990)",),
    fix="coremltools' own test of this fails after macOS 14.2. Fix the shapes, or write it as a matrix "
    "product:\n"
    "x @ y",
)
def flexible_einsum(program: Index) -> Iterator[Match]:
    """An einsum has operands of flexible shape."""
    for operation in program.of("einsum"):
        names = [name for name in operation.inputs.get("values", ()) if isinstance(name, str)]
        if any(None in program.shape(name) for name in names):
            yield Match(operation.name, "`einsum` of flexible shapes")


@rule(
    "weights-as-input",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_conv.py (rdar 97398343)",),
    fix="coremltools' own tests of this fail on the GPU. Write it as a matrix product:\n"
    "F.unfold(x, 3).mT @ w.flatten(1).T",
)
def weights_as_input(program: Index) -> Iterator[Match]:
    """The weight of a convolution is computed while the model runs."""
    for operation in program.of("conv", "conv_transpose"):
        if program.name(operation, "weight") in program.varying:
            yield Match(operation.name, f"`{operation.type}` by computed weights")


@rule(
    "computed-kernel-of-a-batch",
    "info",
    on="program",
    evidence=(_PITFALLS,),
    fix="The Neural Engine's compiler crashes on it on M1 (measured without Core ML); a batch of one "
    "passes. Run the images one by one, or write the layer as a matrix product:\n"
    "F.unfold(x, 3).mT @ w.flatten(1).T",
)
def computed_kernel_of_a_batch(program: Index) -> Iterator[Match]:
    """An FP16 convolution with a computed weight runs on a batch of two or more."""
    for operation in program.of("conv"):
        batch = program.size(program.name(operation, "x"), 0)
        computed = program.name(operation, "weight") in program.varying
        if computed and batch > 1 and program.is_half(operation):
            yield Match(operation.name, f"a batch of {batch} by a computed weight")


@rule(
    "squeeze-of-a-long-axis",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_tensor_transformation.py (rdar 124555262)",),
    fix="The CPU fails on it. Name only axes of length 1:\nx.squeeze(1)",
)
def squeeze_of_a_long_axis(program: Index) -> Iterator[Match]:
    """A squeeze names an axis that is longer than 1."""
    for operation in program.of("squeeze"):
        axes, x = program.numbers(operation, "axes"), program.name(operation, "x")
        sizes = [] if axes is None else [program.size(x, axis) for axis in axes.reshape(-1).tolist()]
        if any(size > 1 for size in sizes):
            yield Match(operation.name, f"`squeeze` of an axis of {max(sizes)}")


@rule(
    "flexible-batch-to-space",
    "info",
    on="program",
    evidence=(f"{TENSORFLOW_TESTS}/test_ops.py (rdar 93071454)",),
    fix="Core ML's runtime (Espresso) fails on shapes that have no default. Fix the shape, or give the "
    "flexible one a default:\n"
    "ct.RangeDim(1, 64, default=8)",
)
def flexible_batch_to_space(program: Index) -> Iterator[Match]:
    """A batch_to_space has an operand of flexible shape."""
    for operation in program.of("batch_to_space"):
        if None in program.input_shape(operation, "x"):
            yield Match(operation.name, "`batch_to_space` of a flexible shape")


@rule(
    "norm-off-the-last-axes",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_normalization.py (rdar 80662357)",),
    fix="The GPU is inaccurate there. Move the axes to the end first:\nnorm(x.movedim(1, -1)).movedim(-1, 1)",
)
def norm_off_the_last_axes(program: Index) -> Iterator[Match]:
    """An FP16 layer norm runs over axes other than the last ones."""
    for operation in program.of("layer_norm"):
        axes, rank = program.numbers(operation, "axes"), len(program.input_shape(operation, "x"))
        if axes is None or not rank or not program.is_half(operation):
            continue
        places = sorted(int(axis) % rank for axis in axes.reshape(-1))
        if places != list(range(rank - len(places), rank)):
            yield Match(operation.name, f"`layer_norm` over the axes {places} of {rank}")


@rule(
    "suppression-at-zero",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_tensor_operation.py (rdar 78080118)",),
    fix="coremltools' own tests of this fail. Allow a small overlap: iou_threshold = 0.01.",
)
def suppression_at_zero(program: Index) -> Iterator[Match]:
    """Non-maximum suppression has a threshold of 0."""
    for operation in program.of("non_maximum_suppression"):
        limit = program.scalar(operation, "iou_threshold")
        if limit is not None and limit <= 0:
            yield Match(operation.name, f"`non_maximum_suppression` with a limit of {limit:g}")


@rule(
    "resize-of-three-axes",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_image_resizing.py (rdar 78343191)",),
    fix="coremltools' own test of this fails to load or crashes. Give the image a batch axis:\n"
    "F.interpolate(x[None], size=size, mode='bilinear')[0]",
)
def resize_of_three_axes(program: Index) -> Iterator[Match]:
    """An image without a batch axis is resized."""
    for operation in program.of("resize_bilinear"):
        if len(program.input_shape(operation, "x")) == _THREE_AXES:
            yield Match(operation.name, f"`resize_bilinear` of {_written(program, operation)}")


@rule(
    "functions-by-table",
    "info",
    on="program",
    evidence=(
        f"{CHROMIUM} (baselines gelu_npu and exp_npu of macOS 14, arm64)",
        "sbryngelson/ANEForge#263",
        "https://github.com/sbryngelson/ane-guide (part-1-machine/03-numerics.md)",
    ),
    fix="On the Neural Engine, gelu was off by 0.006, exp by 3 units in the last place, a root of 1e-4 by "
    "3 %, and sin, cos and atan by 0.12 near multiples of pi. Mode `neural-engine` shows none of "
    "this: compare the compute units on your device.",
)
def functions_by_table(program: Index) -> Iterator[Match]:
    """A gelu, exp, root or trigonometric function is computed in FP16."""
    for operation in program.of("gelu", "exp", "sqrt", "sin", "cos", "atan"):
        if program.is_half(operation):
            yield Match(operation.name, f"`{operation.type}` in FP16")


@rule(
    "vanishing-epsilon",
    "info",
    on="program",
    evidence=("sbryngelson/ANEForge#263",),
    fix="The Neural Engine reads magnitudes below 6.1e-5 as 0, so the epsilon protects nothing. Use 1e-4:\n"
    "torch.sqrt(x + 1e-4)",
)
def vanishing_epsilon(program: Index) -> Iterator[Match]:
    """An epsilon is so small that the Neural Engine reads it as 0."""
    for operation in program.of("add"):
        if not program.is_half(operation):
            continue
        for parameter in ("x", "y"):
            value = program.scalar(operation, parameter)
            if value is not None and 0 < abs(value) < LEAST_NORMAL_HALF / 2:
                yield Match(operation.name, f"`add` of {value:.2g}")


@rule(
    "response-norm-off-four-axes",
    "unknown",
    on="program",
    evidence=(
        f"{MIL_TESTS}/iOS14/test_normalization.py (TestNormalizationLocalResponseNorm)",
        "https://apple.github.io/coremltools/mlmodel/Format/NeuralNetwork.html#lrnlayerparams",
    ),
    fix="For rank 3, Apple's test takes neighbours along the first axis, Apple's description along the "
    "second. Use a tensor of rank 4:\n"
    "norm(x[..., None])[..., 0]",
)
def response_norm_off_four_axes(program: Index) -> Iterator[Match]:
    """A local response norm runs on a tensor whose rank is not 4."""
    for operation in program.of("local_response_norm"):
        rank = len(program.input_shape(operation, "x"))
        if rank not in {0, _FOUR_AXES}:
            yield Match(operation.name, f"`local_response_norm` of {_written(program, operation)}")


def _written(program: Index, operation: Operation) -> str:
    return str(program.types[program.name(operation, "x") or ""])
