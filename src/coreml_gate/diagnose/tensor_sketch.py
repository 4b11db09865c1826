"""Sketches of tensors: a few kilobytes with which another tensor can be compared later."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor

from coreml_gate.untyped import MilValue

_BUCKETS: Final = 2048
"""Tensors up to this size are stored exactly; larger ones as this many weighted sums of neighbours."""
_EXACT_STEP: Final = 0.25
"""The least change of a sum by integers that differ by one: the smallest weight is one half."""
_SAME_NORM: Final = 1e-4


@dataclass(frozen=True, eq=False)
class TensorSketch:
    """A tensor's shape, greatest finite magnitude, norm, and weighted sums of neighbouring elements.

    A difference of one element by the limit changes its sum by more than rounding does, so a few wrong
    elements or two swapped ones are found.
    """

    shape: tuple[int, ...]
    exact: bool
    """Whether the elements are integers or booleans."""
    scale: float
    norm: float
    width: int
    """Elements in one sum."""
    sums: Tensor
    nonfinite: Tensor | None
    """The same sums over codes for NaN and the infinities; ``None`` if all elements are finite."""


def sketch(tensor: Tensor) -> TensorSketch:
    """The sketch of one tensor; a scalar counts as shape (1,), as Core ML has no scalars.

    A quantised tensor counts with the numbers that it stands for.
    """
    tensor = tensor.dequantize() if tensor.is_quantized else tensor
    exact = not tensor.is_floating_point()
    flat = tensor.detach().reshape(-1)
    flat = flat.double() if exact or flat.numel() <= _BUCKETS else flat.float()
    width = max(1, math.ceil(flat.numel() / _BUCKETS))
    sums, codes = _sums(flat, width), None
    if not bool(sums.isfinite().all()):
        codes = _sums(_codes(flat), width)
        flat = torch.where(flat.isfinite(), flat, 0).double()
        sums = _sums(flat, width)
        codes = codes if bool(codes.any()) else None
    low, high = (float(end) for end in flat.aminmax()) if flat.numel() else (0.0, 0.0)
    return TensorSketch(
        shape=tuple(tensor.shape) or (1,),
        exact=exact,
        scale=max(abs(low), abs(high)),
        norm=float(torch.linalg.vector_norm(flat)),
        width=width,
        sums=sums,
        nonfinite=codes,
    )


def distance(reference: TensorSketch, candidate: TensorSketch) -> float:
    """The error of the candidate, as a share of the reference's greatest value.

    Infinite if shapes differ, if NaN and infinities are at other places, or if any integer differs.
    """
    if reference.shape != candidate.shape or not _alike(reference.nonfinite, candidate.nonfinite):
        return math.inf
    if not reference.sums.numel():
        return 0.0
    greatest = float((reference.sums.double() - candidate.sums.double()).abs().max())
    if reference.exact:
        return math.inf if greatest > _EXACT_STEP else 0.0
    return greatest / math.sqrt(reference.width) / (reference.scale if reference.scale > 0 else 1.0)


def same_elements(reference: TensorSketch, candidate: TensorSketch) -> bool:
    """Whether both have equally many elements of equal magnitude, perhaps in another order or shape."""
    return (
        math.prod(reference.shape) == math.prod(candidate.shape)
        and math.isclose(reference.norm, candidate.norm, rel_tol=_SAME_NORM)
        and math.isclose(reference.scale, candidate.scale, rel_tol=_SAME_NORM)
        and (reference.nonfinite is None) == (candidate.nonfinite is None)
    )


def tensors_in(value: MilValue) -> tuple[Tensor, ...]:
    """The tensors of an operation's result, in order."""
    if isinstance(value, Tensor):
        return (value,)
    if isinstance(value, tuple | list):
        return tuple(item for item in value if isinstance(item, Tensor))
    return ()


def _alike(reference: Tensor | None, candidate: Tensor | None) -> bool:
    if reference is None or candidate is None:
        return reference is candidate
    return torch.equal(reference, candidate)


def _codes(flat: Tensor) -> Tensor:
    return flat.isnan().double() + 2.0 * (flat == math.inf) + 3.0 * (flat == -math.inf)


def _sums(flat: Tensor, width: int) -> Tensor:
    if width == 1:
        return flat.clone()
    whole = flat.numel() // width * width
    weights = _weights(width).to(flat.dtype)
    sums = flat[:whole].view(-1, width) @ weights
    if whole == flat.numel():
        return sums
    rest = flat[whole:]
    return torch.cat([sums, (rest @ weights[: rest.numel()]).reshape(1)])


@cache
def _weights(width: int) -> Tensor:
    """The weights of the sums: random, between 1/2 and 1 in magnitude, with signs."""
    generator = torch.Generator().manual_seed(width)
    sizes = 0.5 + 0.5 * torch.rand(width, generator=generator, dtype=torch.float64)
    return torch.where(torch.rand(width, generator=generator) < 0.5, -sizes, sizes)  # noqa: PLR2004 - a fair coin
