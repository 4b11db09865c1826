"""The Neural Engine's deviations according to published measurements: the bodies of mode ``neural-engine``.

This is an estimate: half precision throughout, wide accumulators in products, half ones in sums. The
measurements: apple/coremltools#2687 and #2690; and, through Apple's private interfaces on M1, M2 Pro and M5
with macOS 26.5, sbryngelson/ANEForge docs/numeric-cliffs.md, docs/developer/numerics.md, #115, #116 and #263;
on M1, sbryngelson/ane-guide part-1-machine/03-numerics.md. Where M1 and M5 differ, the estimate follows M5.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from coreml_gate.floats import LEAST_NORMAL_HALF
from coreml_gate.runtime.registry import Ints

GREATEST_PRODUCT = 32752.0
"""The greatest magnitude of a matrix product or a convolution; larger results are infinite (#115)."""
GREATEST_EXPONENTIAL = 32768.0
"""The greatest exponential within ``softplus``, which gives 0 from ln 32768 = 10.397 on."""
LOGARITHM_OF_ZERO = -45440.0
"""The engine's table value in place of negative infinity (ane-guide)."""
_BLOCK = 64
_DROPPED_BITS = 13  # float32 has 23 fraction bits, half has 10
_HALFWAY = 1 << (_DROPPED_BITS - 1)


def engine_half(x: Tensor) -> Tensor:
    """Float32 as the engine's half: ties away from zero, and below the normal halves only 0 and the smallest
    normal one (6.0e-5 comes back as 6.1e-5, 1e-6 as 0: #116, #263).
    """
    return torch.where(x.isfinite(), flushed(_ties_away(x)), x).half()


def engine_product(x: Tensor) -> Tensor:
    """A sum of products, accumulated wide, as the engine's half: infinite beyond 32,752, subnormals kept (M5;
    M1 makes them 0: ane-guide).
    """
    held = torch.where(x.abs() > GREATEST_PRODUCT, torch.inf * x.sign(), x)
    normal = held.isfinite() & (held.abs() >= LEAST_NORMAL_HALF)
    return torch.where(normal, _ties_away(held), held).half() + 0.0


def _ties_away(x: Tensor) -> Tensor:
    """Float32 with the fraction of a half, ties away from zero."""
    bits = x.contiguous().view(torch.int32)
    return (bits + _HALFWAY).bitwise_and(-(1 << _DROPPED_BITS)).view(torch.float32)


def flushed(x: Tensor) -> Tensor:
    """Float32 without the magnitudes of subnormal halves; 0 loses its sign (ane-guide)."""
    tiny = torch.where(x.abs() < LEAST_NORMAL_HALF / 2, 0.0, LEAST_NORMAL_HALF).copysign(x) + 0.0
    return torch.where(x.abs() < LEAST_NORMAL_HALF, tiny, x)


def without_nan(x: Tensor, instead: float) -> Tensor:
    """The engine has no NaN: as an operand it is infinite; inf - inf, 0 times inf, and the root and logarithm
    of -1 are 0 (ane-guide).
    """
    return torch.nan_to_num(x, instead, torch.inf, -torch.inf)


def narrow_sum(x: Tensor, axes: Ints, keep_dims: bool) -> Tensor:
    """The sum over ``axes`` with half accumulators: blocks of 64 accumulate wide, their sums in half.

    That ``reduce_sum`` accumulates in half is measured; the width of its blocks is not.
    """
    over = sorted(axis % x.ndim for axis in axes)
    rest = [axis for axis in range(x.ndim) if axis not in over]
    flat = x.permute(*rest, *over).reshape(*(x.shape[axis] for axis in rest), -1)
    total = torch.zeros(flat.shape[:-1])
    for block in in_blocks(flat, -1, _BLOCK):
        total = engine_half(total + block.sum(-1)).float()
    shape = [1 if axis in over else size for axis, size in enumerate(x.shape)]
    return total.reshape(shape) if keep_dims else total


def in_blocks(x: Tensor, axis: int, width: int) -> Iterator[Tensor]:
    """Parts of at most ``width`` along one axis."""
    size = x.shape[axis]
    return (x.narrow(axis, start, min(width, size - start)) for start in range(0, size, width))
