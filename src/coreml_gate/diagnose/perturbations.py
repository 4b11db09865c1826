"""Changes of the numbers of one input, by element type: scaled, whole, equal or extreme numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import torch
from torch import Tensor

from coreml_gate.criteria import FAR
from coreml_gate.floats import SINGLE_INTEGERS

Perturbation = Callable[[Tensor], Tensor]
Kind = Literal["numbers", "integers", "mask"]

_SPREAD: Final = 3.0
"""The greatest magnitude of the whole and half numbers."""
_BESIDE: Final = 2.0**-10
"""The distance of the values next to a rounding tie."""


def kind_of(value: Tensor) -> Kind:
    """The kind of an input's numbers: zeros and ones alone are a mask, whatever their type."""
    if value.dtype is torch.bool or (value.is_floating_point() and bool(((value == 0) | (value == 1)).all())):
        return "mask"
    return "numbers" if value.is_floating_point() else "integers"


def _greatest(x: Tensor) -> float:
    return float(x.abs().max()) or 1.0


def _whole(x: Tensor) -> Tensor:
    return (x / _greatest(x) * _SPREAD).round()


def _cycled(x: Tensor, values: Sequence[float]) -> Tensor:
    """The values in order, repeated to fill the shape."""
    row = torch.tensor(values, dtype=x.dtype)
    return row.repeat(math.ceil(x.numel() / len(row)))[: x.numel()].reshape(x.shape)


def _boundaries(x: Tensor) -> Tensor:
    return _cycled(x, (0.0, 1.0, -1.0, float(x.min()), float(x.max())))


def _beside_ties(x: Tensor) -> Tensor:
    return _whole(x) + 0.5 + _cycled(x, (-_BESIDE, _BESIDE))


def _powers(x: Tensor) -> Tensor:
    return _cycled(x, [sign * 2.0**power for power in range(-3, 5) for sign in (1, -1)])


def _here_and_there(x: Tensor, value: float) -> Tensor:
    """About half of the elements, including the first, without a pattern along rows or columns."""
    chosen = torch.rand(x.numel(), generator=torch.Generator().manual_seed(0)) < 1 / 2
    chosen[0] = True
    return torch.where(chosen.reshape(x.shape), torch.full_like(x, value), x)


def _sorted(x: Tensor) -> Tensor:
    return x.sort(dim=-1).values if x.dim() else x


_NUMBERS: Final[Mapping[str, Perturbation]] = {
    "samples times 1e-4": lambda x: x * 1e-4,
    FAR: lambda x: x * 1e3,
    "half-integers": lambda x: _whole(x) + 0.5,
    "magnitudes": lambda x: x.abs(),
    "negated magnitudes": lambda x: -x.abs(),
    "integers": _whole,
    "zeros": torch.zeros_like,
    "fractions in (0, 1)": lambda x: torch.sigmoid(x / _greatest(x) * _SPREAD),
    "repeated values": lambda x: (x / _greatest(x) * 2).round() / 2 * _greatest(x),
    "boundary values": _boundaries,
    "infinities": lambda x: _here_and_there(x, -math.inf),
    "positive infinities": lambda x: _here_and_there(x, math.inf),
    "samples times 1e-8": lambda x: x * 1e-8,
    "values beside ties of rounding": _beside_ties,
    "powers of two": _powers,
    "negative zeros": lambda x: -torch.zeros_like(x),
    "equal values": lambda x: x.reshape(-1)[:1].expand(x.numel()).reshape(x.shape).clone(),
    "sorted values": _sorted,
    "reversed values": lambda x: x.flip(tuple(range(x.dim()))),
}
_INTEGERS: Final[Mapping[str, Perturbation]] = {
    "reversed integers": lambda x: x.flip(tuple(range(x.dim()))),
    "the least integer everywhere": lambda x: x.min().expand(x.shape).clone(),
    "the greatest integer everywhere": lambda x: x.max().expand(x.shape).clone(),
    "zeros instead of integers": torch.zeros_like,
    "negative integers": lambda x: -x - 1,
    "integers beyond 2^24": lambda x: x + SINGLE_INTEGERS + 1,
    "integers near the ends of 32 bits": lambda x: torch.where(
        x % 2 == 0, 2**31 - 1 - x.abs(), x.abs() - 2**31
    ),
}
_MASKS: Final[Mapping[str, Perturbation]] = {
    "masks turned round": lambda x: (x == 0).to(x.dtype),
    "masks of ones": torch.ones_like,
    "masks of zeros": torch.zeros_like,
    "masks reversed": lambda x: x.flip(tuple(range(x.dim()))),
}
PERTURBATIONS: Final[Mapping[Kind, Mapping[str, Perturbation]]] = {
    "numbers": _NUMBERS,
    "integers": _INTEGERS,
    "mask": _MASKS,
}
"""The changes for inputs of each kind, in the order in which they are tried."""

MOST_TELLING: Final = (
    *("half-integers", "negative integers", "masks turned round"),
    *("zeros", "reversed integers", "masks of zeros"),
    *("negated magnitudes", "zeros instead of integers", FAR, "samples times 1e-4"),
    *("integers", "infinities", "positive infinities", "equal values"),
)
"""The order of changes for a model with costly runs: ties and steps, degenerate values, signs, overflow and
underflow. All others follow in the order of the tables."""
EXACT: Final = frozenset(
    {"half-integers", "integers", "zeros", "negative zeros", "powers of two", "boundary values"}
)
"""Changes to numbers that are exact in every precision, so that a jump of the source there is real."""
LARGE: Final = frozenset({"integers beyond 2^24", "integers near the ends of 32 bits"})
"""Tried only where negative integers are allowed: as a size or a count they would allocate memory."""
COME_NEAR: Final = SINGLE_INTEGERS / 16
"""Magnitude from which a sample makes larger integers likely; ids and pixels are below it."""


def resized(value: Tensor, shape: Sequence[int]) -> Tensor:
    """The value cropped or repeated to another shape; an image's shape is its height and width."""
    for axis, size in enumerate(shape, value.dim() - len(shape)):
        value = value.index_select(axis, torch.arange(size) % value.shape[axis])
    return value
