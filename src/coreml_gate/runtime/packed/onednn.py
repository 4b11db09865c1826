"""torch's internal calls of oneDNN with packed weights, which belong to its compiler and are untyped."""

from functools import cache
from typing import Final, NamedTuple

import torch
from torch import Tensor

from coreml_gate.runtime.registry import Ints
from coreml_gate.untyped import TorchObject


class After(NamedTuple):
    """The activation after a kernel's result, in the terms of torch's compiler."""

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
    """Whether oneDNN is available with all calls used here; the wheels for macOS on arm64 lack it."""
    present: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return present and all(hasattr(torch.ops.mkldnn, name) for name in _DOORS)


def sum_then(after: After) -> tuple[TorchObject, ...]:
    """The arguments for a sum with the output tensor and the activation after it."""
    unary = (None, (), None) if after is NOTHING else (after.name, after.numbers, after.algorithm)
    return ("add", None, *unary)


def channels_last(x: Tensor) -> Tensor:
    """An operand of rank 4 or 5 with its channels innermost; the same tensor if they already are."""
    wanted = torch.channels_last if x.ndim == _IMAGE else torch.channels_last_3d
    return x.contiguous(memory_format=wanted)


def as_image(values: Ints, neutral: int) -> Ints:
    """A setting of a convolution over one axis, extended for an image one row high."""
    return (neutral, *values) if len(values) == 1 else values


def lifted(x: Tensor) -> Tensor:
    """Sequences as images one row high; any other tensor unchanged."""
    return x.unsqueeze(2) if x.ndim == _SEQUENCE else x


def lowered(x: Tensor, rank: int) -> Tensor:
    """The inverse of ``lifted``, for operands that had this rank."""
    return x.squeeze(2) if rank == _SEQUENCE else x
