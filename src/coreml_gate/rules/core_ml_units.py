"""What one compute unit of Core ML computes wrongly, or less accurately than the others."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation
from coreml_gate.rules.evidence import CHROMIUM, MIL_TESTS, TENSORFLOW_TESTS
from coreml_gate.rules.rule import Match, rule

_ENGINE: Final = "https://github.com/sbryngelson/ANEForge (docs/developer/op-quirks.md)"
_ROUNDINGS: Final = frozenset({"floor", "ceil", "round"})
_WIDEST_KERNEL: Final = 13
_WRONG_BATCH: Final = 10
_MANY_BOXES: Final = 1000
_WIDE_POOL: Final = 7


@rule(
    "scaled-rounding",
    "info",
    on="program",
    evidence=("sbryngelson/ANEForge#112",),
    fix="The Neural Engine's compiler drops a factor after floor, ceil or round (M5, macOS 26.5). Keep the "
    'rounding in float32:\nkeep-fp32 = ["Net/floor"]',
)
def scaled_rounding(program: Index) -> Iterator[Match]:
    """A rounded value is multiplied by a factor in FP16."""
    for operation in program.of("mul", "real_div"):
        factor, maker = program.scalar(operation, "y"), program.maker(operation, "x")
        if factor is None:
            factor, maker = program.scalar(operation, "x"), program.maker(operation, "y")
        rounded = maker is not None and maker.type in _ROUNDINGS and program.is_half(operation)
        if rounded and factor not in {None, 1.0} and maker is not None:
            yield Match(operation.name, f"`{maker.type}`, then a factor of {factor:g}")


@rule(
    "requantized-product",
    "info",
    on="program",
    evidence=("apple/coreai-torch#112",),
    fix="The Neural Engine applies the wrong factor (M5 Pro, macOS 27). Quantize the product with the "
    "scale of an operand.",
)
def requantized_product(program: Index) -> Iterator[Match]:
    """A product of quantized values is quantized with another scale."""
    for operation in program.of("quantize"):
        made = program.maker(operation, "input")
        scale = program.scalar(operation, "scale")
        if made is None or made.type != "mul" or scale is None:
            continue
        operands = [program.maker(made, parameter) for parameter in ("x", "y")]
        scales = {
            program.scalar(item, "scale")
            for item in operands
            if item is not None and item.type == "dequantize"
        }
        if scales and scale not in scales:
            yield Match(operation.name, f"scale {scale:g} after {', '.join(f'{item:g}' for item in scales)}")


@rule(
    "rounded-on-the-engine",
    "info",
    on="program",
    evidence=("sbryngelson/ANEForge#116",),
    fix="The Neural Engine rounds 0.5 away from zero, and adds 1 from 1024 on. Where that matters:\n"
    "torch.floor(x + 0.5)",
)
def rounded_on_the_engine(program: Index) -> Iterator[Match]:
    """A value is rounded to the nearest integer in FP16."""
    for operation in program.of("round"):
        if program.is_half(operation):
            yield Match(operation.name, "`round` in FP16")


@rule(
    "attention-of-many",
    "info",
    on="program",
    evidence=("apple/coremltools#2650",),
    fix="The GPU's fused attention is wrong from a batch of 10 on (macOS 26.2). Use a smaller batch.",
)
def attention_of_many(program: Index) -> Iterator[Match]:
    """A fused attention has a batch of 10 or more."""
    for operation in program.of("scaled_dot_product_attention"):
        shape = program.input_shape(operation, "query")
        if shape and (shape[0] or 0) >= _WRONG_BATCH:
            yield Match(operation.name, f"a batch of {shape[0]}")


@rule(
    "suppressed-in-half",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_tensor_operation.py (rdar 80662705, rdar 103891349)",),
    fix="The GPU keeps other boxes in FP16, and so does every compute unit when there are many. Keep it "
    "in float32:\n"
    'keep-fp32 = ["NonMaximumSuppression"]',
)
def suppressed_in_half(program: Index) -> Iterator[Match]:
    """Non-maximum suppression runs on many boxes in FP16."""
    for operation in program.of("non_maximum_suppression"):
        name = program.name(operation, "boxes")
        boxes = program.elements(name) // 4
        if program.dtype(name) == "fp16" and boxes >= _MANY_BOXES:
            yield Match(operation.name, f"{boxes:,} boxes in FP16")


@rule(
    "fractional-upsample",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS15/test_image_resizing.py (rdar 97398448)",),
    fix="It fails on the GPU. Use whole factors, or:\nF.interpolate(x, size=size, mode='bilinear')",
)
def fractional_upsample(program: Index) -> Iterator[Match]:
    """A nearest-neighbour upsampling has a fractional factor."""
    for operation in program.of("upsample_nearest_neighbor"):
        factors = [program.scalar(operation, name) for name in ("scale_factor_height", "scale_factor_width")]
        if any(factor is not None and not float(factor).is_integer() for factor in factors):
            yield Match(operation.name, f"factors {factors[0]:g} and {factors[1]:g}")


@rule(
    "crop-on-the-gpu",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS17/test_image_resizing.py (rdar 97398582)",),
    fix="coremltools' own tests of it fail on the GPU. Compare the compute units on your device.",
)
def crop_on_the_gpu(program: Index) -> Iterator[Match]:
    """Boxes are cropped and resized (`crop_resize`)."""
    for operation in program.of("crop_resize"):
        yield Match(operation.name, "`crop_resize`")


@rule(
    "crop-outside-in-half",
    "info",
    on="program",
    evidence=(f"{TENSORFLOW_TESTS}/test_ops.py (rdar 98749492)",),
    fix="coremltools calls this unstable in FP16. Keep the box inside, or the operation in float32:\n"
    'keep-fp32 = ["Net/crop_resize"]',
)
def crop_outside_in_half(program: Index) -> Iterator[Match]:
    """A constant crop box leaves the image, in FP16."""
    for operation in program.of("crop_resize"):
        boxes = program.numbers(operation, "boxes" if "boxes" in operation.inputs else "roi")
        normalized = bool(program.scalar(operation, "normalized_coordinates"))
        corners = program.text(operation, "box_coordinate_mode").startswith("CORNERS")
        if boxes is None or not (normalized and corners and program.is_half(operation)):
            continue
        ends = boxes.reshape(len(boxes), -1)[:, -4:]
        outside = ends[((ends < 0) | (ends > 1)).any(1)]
        if len(outside):
            yield Match(operation.name, f"the box {outside[0].tolist()} in FP16")


@rule(
    "split-of-a-flexible-shape",
    "info",
    on="program",
    evidence=(f"{TENSORFLOW_TESTS}/test_ops.py (rdar 97398133)",),
    fix="coremltools' own tests of this fail on the GPU. Slice instead, or fix the shape:\n"
    "x[:, :4], x[:, 4:]",
)
def split_of_a_flexible_shape(program: Index) -> Iterator[Match]:
    """An axis of flexible length is split."""
    for operation in program.of("split"):
        shape, axis = program.input_shape(operation, "x"), program.scalar(operation, "axis")
        if axis is not None and -len(shape) <= axis < len(shape) and shape[int(axis)] is None:
            yield Match(operation.name, f"`split` of the axis {int(axis)}, whose length is flexible")


@rule(
    "scaled-palette",
    "info",
    on="program",
    evidence=("apple/coremltools#2688",),
    fix="The Neural Engine of macOS 26 reads such weights wrongly. Palettize without a scale per channel:\n"
    "OpPalettizerConfig(nbits=4, enable_per_channel_scale=False)",
)
def scaled_palette(program: Index) -> Iterator[Match]:
    """Palettized weights have a scale per channel."""
    for operation in program.of("constexpr_blockwise_shift_scale", "mul"):
        parameter = "data" if operation.type.startswith("constexpr") else "x"
        made = program.producers.get(program.name(operation, parameter) or "")
        if made is not None and made.type == "constexpr_lut_to_dense":
            yield Match(operation.name, f"`{made.name}` scaled")


@rule(
    "wide-kernel",
    "perf",
    on="program",
    evidence=(_ENGINE,),
    fix="The Neural Engine accepts kernels up to 13 wide (15 on A16 and later), of any height. Swap the "
    "axes:\n"
    "nn.Conv2d(c, c, (31, 1))",
)
def wide_kernel(program: Index) -> Iterator[Match]:
    """A kernel is wider than 13."""
    for operation in program.of("conv", "conv_transpose"):
        shape = _weight_shape(program, operation)
        if len(shape) == 4 and shape[-1] > _WIDEST_KERNEL:  # noqa: PLR2004 - of an image
            yield Match(operation.name, f"a kernel of {shape[-2]} by {shape[-1]}")


def _weight_shape(program: Index, operation: Operation) -> tuple[int, ...]:
    value = program.numbers(operation, "weight")
    if value is not None:
        return value.shape
    return tuple(size or 0 for size in program.input_shape(operation, "weight"))


@rule(
    "pool-beyond-its-padding",
    "info",
    on="program",
    evidence=("apple/coremltools#1901",),
    fix="On macOS 13 the result was 49 times too small. Pad before the pool:\n"
    "F.avg_pool2d(F.pad(x, (3, 3, 3, 3)), 7, 4)",
)
def pool_beyond_its_padding(program: Index) -> Iterator[Match]:
    """A padded average pool has a kernel of 7 or more and a stride."""
    for operation in program.of("avg_pool"):
        kernel, strides, pad = (
            program.numbers(operation, name) for name in ("kernel_sizes", "strides", "pad")
        )
        if kernel is None or strides is None or pad is None:
            continue
        if int(kernel.min()) >= _WIDE_POOL and int(strides.min()) > 1 and bool((pad > 0).any()):
            yield Match(operation.name, f"kernel {kernel.reshape(-1).tolist()}, padding {pad.tolist()}")


@rule(
    "recurrent-in-half",
    "info",
    on="program",
    evidence=("apple/coremltools#337",),
    fix="How Core ML rounds inside a recurrent layer is not published. Mode `fp16` of the runtime rounds "
    "the state once per sequence, `neural-engine` at each step; neither is confirmed. Compare on a "
    "device, or keep the layer in float32:\n"
    'keep-fp32 = ["LSTM/lstm"]',
)
def recurrent_in_half(program: Index) -> Iterator[Match]:
    """A recurrent layer runs in FP16."""
    for operation in program.of("lstm", "gru", "rnn"):
        if program.is_half(operation):
            yield Match(operation.name, f"`{operation.type}` in FP16")


@rule(
    "inverse-of-halves",
    "info",
    on="program",
    evidence=(f"{CHROMIUM} (baseline reciprocal_cpu of macOS 14, arm64)",),
    fix="The CPU approximates it to 8 bits, up to 0.4 % off. Divide instead, or keep it in float32:\n1.0 / x",
)
def inverse_of_halves(program: Index) -> Iterator[Match]:
    """A reciprocal (`inverse`) is computed in FP16."""
    for operation in program.of("inverse"):
        if program.is_half(operation):
            yield Match(operation.name, "`inverse` in FP16")


@rule(
    "l2-pool-of-halves",
    "info",
    on="program",
    evidence=(f"{CHROMIUM} (baseline l2Pool2d_cpu of macOS 14, arm64)",),
    fix="The CPU sums the squares in FP16, so a root of 256 or more becomes infinite. Scale before and "
    "after:\n"
    "F.lp_pool2d(x / 64, 2, 5) * 64",
)
def l2_pool_of_halves(program: Index) -> Iterator[Match]:
    """An L2 pool runs in FP16."""
    for operation in program.of("l2_pool"):
        if program.is_half(operation):
            yield Match(operation.name, "`l2_pool` in FP16")


@rule(
    "transposed-to-a-shape",
    "info",
    on="program",
    evidence=("apple/coremltools#2281",),
    fix="The compute units disagree on conv_transpose with an output shape. Crop instead:\n"
    "up(x)[..., :h, :w]",
)
def transposed_to_a_shape(program: Index) -> Iterator[Match]:
    """A transposed convolution has an output shape that does not follow from its input."""
    for operation in program.of("conv_transpose"):
        wanted, strides = program.numbers(operation, "output_shape"), program.numbers(operation, "strides")
        shape, weight = program.input_shape(operation, "x"), _weight_shape(program, operation)
        pad = program.numbers(operation, "pad")
        if wanted is None or strides is None or None in shape or len(weight) < len(shape):
            continue
        around = np.zeros(2 * strides.size, np.int64) if pad is None else pad
        given = [
            ((size or 0) - 1) * int(step) + kernel - int(before) - int(after)
            for size, step, kernel, before, after in zip(
                shape[2:], strides, weight[2:], around[::2], around[1::2], strict=True
            )
        ]
        if given != wanted[-len(given) :].tolist():
            yield Match(operation.name, f"{wanted[-len(given) :].tolist()} where its input gives {given}")
