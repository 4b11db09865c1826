"""What Core ML computes differently from torch, numpy or the MIL specification, on every compute unit."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation
from coreml_gate.rules.evidence import CHROMIUM, FRONT_END_TESTS, MIL_TESTS
from coreml_gate.rules.rule import Match, rule

_INTEGERS: Final = frozenset({"int8", "uint8", "int16", "uint16", "int32", "bool"})
_IOS16: Final = 16
_IOS18: Final = 18
_CORNERS_ALIGNED: Final = frozenset({"ALIGN_CORNERS", "STRICT_ALIGN_CORNERS"})
_SMALL_STEP: Final = 1e-3


@rule(
    "flexible-roll",
    "silent",
    on="program",
    evidence=("apple/coremltools#2778", "apple/coremltools#2838"),
    fix="Core ML leaves the tensor as it is, or fails. Cut and concatenate instead, with a positive "
    "shift:\n"
    "torch.cat([x[:, k:], x[:, :k]], 1)",
    versions="up to 9.0",
)
def flexible_roll(program: Index) -> Iterator[Match]:
    """torch.roll is applied to an axis of flexible size."""
    for operation in program.of("mod"):
        shift = program.scalar(operation, "x")
        ranged = any(user.type == "sub" for user in program.users(operation))
        if shift is not None and shift < 0 and ranged and program.dtype(operation.name) == "int32":
            yield Match(operation.name, f"the shift {shift:g} modulo a size that is computed stays {shift:g}")


@rule(
    "negative-modulus",
    "info",
    on="program",
    evidence=("apple/coremltools#2778", "kasper0406/stablehlo-coreml#70"),
    fix="On Core ML the result has the sign of x, not of y. Where x may be negative:\n(x % y + y) % y",
)
def negative_modulus(program: Index) -> Iterator[Match]:
    """A remainder is taken of values that may be negative."""
    for operation in program.of("mod"):
        maker = program.maker(operation, "x")
        never_negative = maker is not None and maker.type in {"abs", "relu", "sigmoid", "square", "shape"}
        if program.name(operation, "x") in program.varying and not never_negative:
            yield Match(operation.name, "`mod` has the sign of its first operand on Core ML")


@rule(
    "averaged-beyond-the-end",
    "silent",
    on="program",
    evidence=("apple/coremltools#2844", "apple/coremltools#2772"),
    fix="Core ML still divides by the whole kernel there. Exclude the padding from the average:\n"
    "nn.AvgPool2d(2, 3, ceil_mode=True, count_include_pad=False)",
    versions="up to 9.0",
)
def averaged_beyond_the_end(program: Index) -> Iterator[Match]:
    """A window of an average pool reaches beyond the padded input."""
    for operation in program.of("avg_pool"):
        if program.scalar(operation, "ceil_mode") and not program.scalar(
            operation, "exclude_padding_from_average"
        ):
            beyond = [size for size in _beyond(program, operation) if size != 0]
            if beyond:
                yield Match(operation.name, f"the last window reaches {max(beyond)} beyond the end")


def _beyond(program: Index, operation: Operation) -> Iterator[int]:
    """How far the last window of each axis reaches beyond the padded input, where that is known."""
    kernel, strides = (program.numbers(operation, name) for name in ("kernel_sizes", "strides"))
    pad = program.numbers(operation, "pad")
    if kernel is None:
        return
    steps = np.ones_like(kernel) if strides is None else strides
    around = np.zeros(2 * kernel.size, np.int64) if pad is None else pad
    sizes = program.input_shape(operation, "x")[2:]
    for place, size in enumerate(sizes):
        if size is not None:
            span = size + int(around[2 * place]) + int(around[2 * place + 1]) - int(kernel.flat[place])
            yield math.ceil(span / int(steps.flat[place])) * int(steps.flat[place]) - span


@rule(
    "window-outside",
    "info",
    on="program",
    evidence=(f"{FRONT_END_TESTS}/test_internal_graph.py (rdar 80050546)",),
    fix="Core ML has one window more than torch. Make the kernel at least as large as the stride.",
)
def window_outside(program: Index) -> Iterator[Match]:
    """A window of a pool lies entirely outside of its input."""
    for operation in program.of("avg_pool", "max_pool", "l2_pool"):
        kernel = program.numbers(operation, "kernel_sizes")
        if kernel is not None and program.scalar(operation, "ceil_mode"):
            sizes = zip(_beyond(program, operation), kernel.reshape(-1).tolist(), strict=False)
            if any(beyond >= size for beyond, size in sizes):
                yield Match(operation.name, f"`{operation.type}`, ceil_mode, kernel smaller than its stride")


@rule(
    "pool-with-lower-padding",
    "silent",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_pool.py (rdar 98852008)",),
    fix="Core ML pads such a pool at the wrong end. Pad explicitly before it:\nF.pad(x, (1, 0))",
)
def pool_with_lower_padding(program: Index) -> Iterator[Match]:
    """A one-dimensional pool is padded with `same_lower`."""
    for operation in program.of("avg_pool", "max_pool", "l2_pool"):
        kernel = program.numbers(operation, "kernel_sizes")
        if kernel is not None and kernel.size == 1 and program.text(operation, "pad_type") == "same_lower":
            yield Match(operation.name, f"`{operation.type}` over one axis with same_lower")


@rule(
    "backward-slice-of-one",
    "silent",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_tensor_transformation.py (rdar 99664032)",),
    fix="Remove the slice, or take the element forward:\nx[-1:]",
)
def backward_slice_of_one(program: Index) -> Iterator[Match]:
    """A slice with a negative step runs over an axis of one element."""
    for operation in program.of("slice_by_index"):
        parts = [program.numbers(operation, name) for name in ("begin", "end", "stride")]
        if any(part is None for part in parts):
            continue
        axes = zip(*(part.reshape(-1).tolist() for part in parts if part is not None), strict=False)
        taken = (axis for axis, slice_ in enumerate(axes) if slice_ == (-1, -2, -1))
        x = program.name(operation, "x")
        if any(program.size(x, axis) == 1 for axis in taken):
            yield Match(operation.name, "`slice_by_index` from -1 to -2 by -1 of an axis of 1")


@rule(
    "scatter-at-negative-index",
    "silent",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS17/test_scatter_gather.py (rdar 128089254)",),
    fix="From iOS 18 on, Core ML no longer counts negative indices from the end. Make them positive:\n"
    "indices % size",
)
def scatter_at_negative_index(program: Index) -> Iterator[Match]:
    """A program for iOS 18 scatters at constant negative indices."""
    if program.function.opset < _IOS18:
        return
    for operation in program.of("scatter", "scatter_along_axis", "scatter_nd"):
        indices = program.numbers(operation, "indices")
        if indices is not None and indices.size and int(indices.min()) < 0:
            yield Match(operation.name, f"`{operation.type}` at {int(indices.min())}")


@rule(
    "gather-outside",
    "silent",
    on="program",
    evidence=(f"{CHROMIUM} (baseline gather_gpu of macOS 15, arm64)",),
    fix="Core ML returns some element of the tensor there, without an error. Clamp the indices first:\n"
    "x[i.clamp(0, len(x) - 1)]",
)
def gather_outside(program: Index) -> Iterator[Match]:
    """A constant index is out of range."""
    for operation in program.of("gather"):
        indices, axis = program.numbers(operation, "indices"), program.scalar(operation, "axis") or 0.0
        shape = program.input_shape(operation, "x")
        size = shape[int(axis)] if -len(shape) <= int(axis) < len(shape) else None
        if indices is None or size is None or not indices.size:
            continue
        outside = indices[(indices >= size) | (indices < -size)]
        if outside.size:
            yield Match(operation.name, f"the index {int(outside.flat[0])} of {size}")


@rule(
    "undefined-crop",
    "unknown",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS15/test_image_resizing.py (TestCropResize)",),
    fix="What Core ML returns for such a box is not documented. Order its corners and keep them inside "
    "the image:\n"
    "torch.cat([torch.minimum(a, b), torch.maximum(a, b)], 1).clamp(0, 1)",
)
def undefined_crop(program: Index) -> Iterator[Match]:
    """A crop box ends before it starts, or leaves the image before iOS 16."""
    for operation in program.of("crop_resize"):
        found = program.numbers(operation, "boxes" if "boxes" in operation.inputs else "roi")
        if found is None or program.text(operation, "box_coordinate_mode").startswith("CENTER"):
            continue
        corners = found.reshape(len(found), -1)[:, -4:]
        inverted = (corners[:, 2:] < corners[:, :2]).any(1)
        aligned = program.text(operation, "sampling_mode") in _CORNERS_ALIGNED
        outside = ((corners < 0) | (corners > 1)).any(1) & _has_no_pad_value(program, operation)
        undefined = corners[outside | (inverted & (not aligned))]
        if len(undefined):
            yield Match(operation.name, f"the box {undefined[0].tolist()}")


def _has_no_pad_value(program: Index, operation: Operation) -> bool:
    """Whether the value outside of the image is unspecified, for a box beyond the corners 0 and 1."""
    return program.function.opset < _IOS16 and bool(program.scalar(operation, "normalized_coordinates"))


@rule(
    "sorted-ties",
    "info",
    on="program",
    evidence=("https://github.com/kasper0406/stablehlo-coreml (test_multikey_sort_fails_due_to_stability)",),
    fix="Core ML's argsort is not stable: equal values come in any order. Add the index as a secondary "
    "key:\n"
    "torch.argsort(x * len(x) + torch.arange(len(x)))",
)
def sorted_ties(program: Index) -> Iterator[Match]:
    """The order of integers is computed (argsort), and ties are likely."""
    for operation in program.of("argsort"):
        if program.input_dtype(operation, "x") in _INTEGERS:
            yield Match(operation.name, f"`argsort` of {program.input_dtype(operation, 'x')}")


@rule(
    "range-of-small-steps",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_tensor_operation.py (rdar 88998831)",),
    fix="Its last values drift. Count in whole steps and scale the result:\ntorch.arange(n) * 1e-4",
)
def range_of_small_steps(program: Index) -> Iterator[Match]:
    """A range has a step below 0.001."""
    for operation in program.of("range_1d"):
        step = program.scalar(operation, "step")
        if step is not None and 0 < abs(step) < _SMALL_STEP:
            yield Match(operation.name, f"`range_1d` by {step:g}")


@rule(
    "integer-beyond-float32",
    "silent",
    on="program",
    evidence=("rustnn/rustnn#183", "rustnn/rustnn#235"),
    fix="Core ML computes integers in float32, which is exact up to 16,777,216. Keep them smaller, or "
    "split them.",
)
def integer_beyond_float32(program: Index) -> Iterator[Match]:
    """An integer constant of a product or a selection is not exact in float32."""
    for operation in program.of("mul", "select", "abs"):
        for parameter in ("x", "y", "a", "b"):
            value = program.numbers(operation, parameter)
            if value is None or value.dtype.kind != "i" or not value.size:
                continue
            back = value.astype(np.float32).astype(np.int64).clip(-(2**31), 2**31 - 1)
            lost = value[back != value]
            if lost.size:
                yield Match(operation.name, f"`{operation.type}` with {int(lost.flat[0]):,}")


@rule(
    "prelu-by-channel",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS14/test_activation.py (rdar 91442339)",),
    fix="coremltools' own test of this fails on Core ML. Use one slope, or a tensor of rank 4:\nnn.PReLU(1)",
)
def prelu_by_channel(program: Index) -> Iterator[Match]:
    """A PReLU on a tensor of rank 3 or 5 has one slope per channel."""
    for operation in program.of("prelu"):
        alpha, rank = program.numbers(operation, "alpha"), len(program.input_shape(operation, "x"))
        if rank in {3, 5} and alpha is not None and float(np.ptp(alpha)) > 0:
            yield Match(operation.name, f"{alpha.size} slopes on {rank} axes")
