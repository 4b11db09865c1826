"""Pooling over one to three spatial axes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.ops.padding import Padding, flat, is_symmetric, window_padding
from coreml_gate.runtime.registry import EXACT, ROUND, Ints, operation

_MAX: dict[int, Callable[..., Tensor]] = {
    1: functional.max_pool1d,
    2: functional.max_pool2d,
    3: functional.max_pool3d,
}
_AVERAGE: dict[int, Callable[..., Tensor]] = {
    1: torch.avg_pool1d,
    2: functional.avg_pool2d,
    3: functional.avg_pool3d,
}


@operation(ROUND)
def avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Tensor:
    """If ``ceil_mode`` lets a window leave the input, Core ML divides by the whole kernel, torch by the
    part inside (apple/coremltools#2844, #2772).
    """
    strides, padding = _window(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    pool, places = _AVERAGE[len(kernel_sizes)], math.prod(kernel_sizes)
    kernel_sizes, padding = _within(x.shape[2:], kernel_sizes, padding)
    share = 1.0 if exclude_padding_from_average else math.prod(kernel_sizes) / places
    if is_symmetric(padding) and _torch_takes(padding, kernel_sizes):
        before = [size for size, _ in padding]
        mean = pool(x, kernel_sizes, strides, before, count_include_pad=not exclude_padding_from_average)
        return mean if share == 1 else mean * share
    padded = functional.pad(x, flat(padding))
    mean = pool(padded, kernel_sizes, strides)
    if not exclude_padding_from_average:
        return mean if share == 1 else mean * share
    return mean / pool(functional.pad(torch.ones_like(x), flat(padding)), kernel_sizes, strides)


@operation(ROUND, native=True)
def l2_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Core ML's CPU sums the squares of halves in half: infinite from a root of 256 on (WPT's l2Pool2d in
    Chromium's baselines of macOS 14, arm64).
    """
    strides, padding = _window(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    kernel_sizes, padding = _within(x.shape[2:], kernel_sizes, padding)
    squares = functional.pad(x.float().square(), flat(padding))
    mean = _AVERAGE[len(kernel_sizes)](squares, kernel_sizes, strides)
    return (mean * math.prod(kernel_sizes)).to(x.dtype).sqrt()


@operation(EXACT)
def max_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """A window entirely outside gives -inf; ``ceil_mode`` causes it if the stride exceeds the kernel."""
    strides, padding = _window(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    kernel_sizes, padding = _within(x.shape[2:], kernel_sizes, padding)
    if not (is_symmetric(padding) and _torch_takes(padding, kernel_sizes)):
        x, padding = functional.pad(x, flat(padding), value=-math.inf), ((0, 0),) * len(kernel_sizes)
    return _MAX[len(kernel_sizes)](x, kernel_sizes, strides, [before for before, _ in padding])


def _window(
    x: Tensor, kernel: Ints, strides: Ints | None, pad_type: str, pad: Ints | None, ceil_mode: bool
) -> tuple[Ints, Padding]:
    """Strides, and the padding for MIL's number of windows without torch's own ``ceil_mode``."""
    ones = (1,) * len(kernel)
    strides = ones if strides is None else strides
    padding = window_padding(pad_type, pad, x.shape[2:], kernel, strides, ones)
    if ceil_mode:
        axes = zip(x.shape[2:], kernel, strides, padding, strict=True)
        padding = tuple(_rounded_up(*axis) for axis in axes)
    return strides, padding


def _within(sizes: Ints, kernel: Ints, padding: Padding) -> tuple[Ints, Padding]:
    """Kernel and padding, shortened for a single window on an axis at most half as long as the kernel.

    transformers' EfficientNet pools 7 by 7 pixels with a kernel of 2560 by 2560: padded, that takes 33.6 GB.
    """
    alone = [
        size + before + after == width >= 2 * size
        for size, width, (before, after) in zip(sizes, kernel, padding, strict=True)
    ]
    cut = zip(sizes, kernel, padding, alone, strict=True)
    axes = [(size, (0, 0)) if only else (width, pair) for size, width, pair, only in cut]
    return tuple(width for width, _ in axes), tuple(pair for _, pair in axes)


def _rounded_up(size: int, kernel: int, stride: int, padding: tuple[int, int]) -> tuple[int, int]:
    """The padding of one axis with ``ceil_mode``: more after the end if a last window begins before it.

    MIL omits a window that begins in the padding after the end, but counts one that begins after an end
    without padding (``spatial_dimensions_out_shape`` of coremltools); torch omits both.
    """
    before, after = padding
    span = size + before + after
    windows = -(-(span - kernel) // stride) + 1
    if before + after and 2 * (windows - 1) * stride >= 2 * size + before + after:
        windows -= 1
    return before, after + max((windows - 1) * stride + kernel - span, 0)


def _torch_takes(padding: Padding, kernel: Ints) -> bool:
    return all(2 * before <= size for (before, _), size in zip(padding, kernel, strict=True))
