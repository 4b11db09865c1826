"""Half formulas and half sums: what ``fp16-strict`` computes where the plain mode computes in float32.

A sum adds blocks of 64 terms in float32, rounds each block, and adds the blocks in half one after the other:
what fits into one block is exact, what does not overflows and drifts as half accumulators do. How wide the
blocks of a GPU or of the Neural Engine are is not published; 64 costs little and bounds sums from above.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from coreml_gate.runtime.registry import Ints

BLOCK = 64


def half_sum(x: Tensor, axes: Ints, keep_dims: bool) -> Tensor:
    """The sum over ``axes`` of half values in blocks, each block rounded to half."""
    over = sorted(axis % x.ndim for axis in axes)
    rest = [axis for axis in range(x.ndim) if axis not in over]
    flat = x.permute(*rest, *over).reshape(*(x.shape[axis] for axis in rest), -1)
    total = _blocks(flat)
    return (
        total.reshape([1 if axis in over else size for axis, size in enumerate(x.shape)])
        if keep_dims
        else total
    )


def _blocks(flat: Tensor) -> Tensor:
    sums = [block.float().sum(-1).half() for block in in_blocks(flat, -1, BLOCK)]
    total = sums[0]
    for block in sums[1:]:
        total = total + block
    return total


def half_mean(x: Tensor, axes: Ints, keep_dims: bool) -> Tensor:
    """The half sum, then divided: overflows where the mean itself would fit."""
    count = math.prod(x.shape[axis] for axis in axes)
    return half_sum(x, axes, keep_dims) / count


def half_product(x: Tensor, y: Tensor) -> Tensor:
    """``x @ y`` with the sum of each block of products rounded, and their running sum as well."""
    blocks = zip(in_blocks(x, -1, BLOCK), in_blocks(y, -1 if y.ndim == 1 else -2, BLOCK), strict=True)
    products = (torch.matmul(first.float(), second.float()).half() for first, second in blocks)
    total = next(products)
    for product in products:
        total = total + product
    return total


def in_blocks(x: Tensor, axis: int, width: int) -> Iterator[Tensor]:
    """Parts of at most ``width`` along one axis."""
    size = x.shape[axis]
    return (x.narrow(axis, start, min(width, size - start)) for start in range(0, size, width))


def half_normal(x: Tensor, axes: Ints, epsilon: float) -> Tensor:
    """Zero mean and unit variance by half sums of half squares."""
    centred = x - half_mean(x, axes, keep_dims=True)
    variance = half_mean(centred * centred, axes, keep_dims=True)
    return centred * torch.rsqrt(variance + epsilon)
