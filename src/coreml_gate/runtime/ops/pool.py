"""Pooling over one to three spatial axes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.ops.padding import flat, is_symmetric, window_padding
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
    strides, padding = _window(x, kernel_sizes, strides, pad_type, pad)
    pool = _AVERAGE[len(kernel_sizes)]
    if is_symmetric(padding) and _torch_takes(padding, kernel_sizes):
        before = [size for size, _ in padding]
        return pool(x, kernel_sizes, strides, before, ceil_mode, not exclude_padding_from_average)
    padded = functional.pad(x, flat(padding))
    mean = pool(padded, kernel_sizes, strides, 0, ceil_mode)
    if not exclude_padding_from_average:
        return mean
    share = pool(functional.pad(torch.ones_like(x), flat(padding)), kernel_sizes, strides, 0, ceil_mode)
    return mean / share


@operation(ROUND)
def l2_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    strides, padding = _window(x, kernel_sizes, strides, pad_type, pad)
    squares = functional.pad(x.square(), flat(padding))
    mean = _AVERAGE[len(kernel_sizes)](squares, kernel_sizes, strides, 0, ceil_mode)
    return (mean * math.prod(kernel_sizes)).sqrt()


@operation(EXACT)
def max_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    strides, padding = _window(x, kernel_sizes, strides, pad_type, pad)
    if not (is_symmetric(padding) and _torch_takes(padding, kernel_sizes)):
        x, padding = functional.pad(x, flat(padding), value=-math.inf), ((0, 0),) * len(kernel_sizes)
    before = [size for size, _ in padding]
    return _MAX[len(kernel_sizes)](x, kernel_sizes, strides, before, ceil_mode=ceil_mode)


def _window(
    x: Tensor, kernel: Ints, strides: Ints | None, pad_type: str, pad: Ints | None
) -> tuple[Ints, tuple[tuple[int, int], ...]]:
    ones = (1,) * len(kernel)
    strides = ones if strides is None else strides
    return strides, window_padding(pad_type, pad, x.shape[2:], kernel, strides, ones)


def _torch_takes(padding: tuple[tuple[int, int], ...], kernel: Ints) -> bool:
    return all(2 * before <= size for (before, _), size in zip(padding, kernel, strict=True))
