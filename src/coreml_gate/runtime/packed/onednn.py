"""torch's doors to oneDNN that take packed weights. They are its compiler's own, so they carry no types."""

from functools import cache
from typing import Final, NamedTuple

import torch
from torch import Tensor

from coreml_gate.runtime.registry import Ints
from coreml_gate.untyped import TorchObject


class After(NamedTuple):
    """What is computed on a kernel's result, in the words of torch's compiler."""

    name: str
    numbers: tuple[float, ...] = ()
    algorithm: str = ""


NOTHING: Final = After("none")
_DOORS: Final = (
    "_reorder_convolution_weight",
    "_reorder_convolution_transpose_weight",
    "_reorder_linear_weight",
    "_reorder_mkldnn_rnn_layer_weight",
    "_convolution_pointwise",
    "_convolution_pointwise_",
    "_convolution_transpose_pointwise",
    "_linear_pointwise",
)
_SEQUENCE, _IMAGE = 3, 4
"""Ranks, with the batch and the channels."""


@cache
def available() -> bool:
    """Is oneDNN there, with all that is called here? Not in the wheels for macOS on arm64."""
    present: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return present and all(hasattr(torch.ops.mkldnn, name) for name in _DOORS)


def sum_then(after: After) -> tuple[TorchObject, ...]:
    """A sum with what is there already, and what is computed on it."""
    unary = (None, (), None) if after is NOTHING else (after.name, after.numbers, after.algorithm)
    return ("add", None, *unary)


def channels_last(x: Tensor) -> Tensor:
    """An operand of rank 4 or 5 with its channels innermost; the same tensor where they are already."""
    wanted = torch.channels_last if x.ndim == _IMAGE else torch.channels_last_3d
    return x.contiguous(memory_format=wanted)


def as_image(values: Ints, neutral: int) -> Ints:
    """What steers a convolution over one axis, for an image that is one row high."""
    return (neutral, *values) if len(values) == 1 else values


def lifted(x: Tensor) -> Tensor:
    """Sequences as images that are one row high; anything else as it is."""
    return x.unsqueeze(2) if x.ndim == _SEQUENCE else x


def lowered(x: Tensor, rank: int) -> Tensor:
    """The inverse of ``lifted``, for operands that had this rank."""
    return x.squeeze(2) if rank == _SEQUENCE else x
