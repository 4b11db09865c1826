"""``conv`` over one to three axes by oneDNN, channels last."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.ops.padding import Padding, flat, is_symmetric, window_padding
from coreml_gate.runtime.packed.kernel import LEAST_PRODUCTS, Constants, ExtensibleKernel, WindowKernel
from coreml_gate.runtime.packed.onednn import (
    NOTHING,
    SUM,
    as_image,
    channels_last,
    lifted,
    lowered,
)
from coreml_gate.runtime.precision import widen
from coreml_gate.runtime.registry import Body, Ints


class _Window(NamedTuple):
    """How the kernel moves over operands of one shape, as torch's door takes it."""

    padding: Ints
    strides: Ints
    dilations: Ints
    groups: int


class PackedConvolution(WindowKernel, ExtensibleKernel):
    """A convolution with constant weights."""

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        super().__init__(body, constants, release)
        self._padded_by: tuple[str, Ints | None] = (constants.get("pad_type", "valid"), constants.get("pad"))
        self._placed: dict[torch.Size, tuple[list[int], _Window]] = {}

    def pays(self, x: Tensor) -> bool:
        """Layers of several groups always do: torch's own take 25 microseconds, however small they are."""
        if x.ndim != len(self._sizes) + 2 or self._weight.numel() == 0:
            return False
        places = [
            (size + sum(padding) - dilation * (width - 1) - 1) // stride + 1
            for size, padding, width, stride, dilation in zip(
                x.shape[2:], self._padding(x.shape), self._sizes, self._strides, self._dilations, strict=True
            )
        ]
        products = x.shape[0] * math.prod(places) * self._weight.numel()
        return min(places) > 0 and (self._groups > 1 or products >= LEAST_PRODUCTS)

    def compute(self, x: Tensor) -> Tensor:
        """The result by oneDNN."""
        image, window = self._operands(x)
        door = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001  # torch has no public one
        return lowered(door(image, self.weight_for(x), self._bias, *window, *NOTHING), x.ndim)

    def add_to(self, other: Tensor, x: Tensor) -> Tensor:
        """As ``ExtensibleKernel`` says."""
        image, window = self._operands(x)
        over = channels_last(lifted(other))
        door = torch.ops.mkldnn._convolution_pointwise_  # torch has no public one
        return lowered(door(over, image, self.weight_for(x), self._bias, *window, *SUM), other.ndim)

    def pack(self, x: Tensor) -> Tensor:
        """The weight in the layout that oneDNN wants."""
        image, window = self._operands(x)
        door = torch.ops.mkldnn._reorder_convolution_weight  # noqa: SLF001  # torch has no public one
        packed: Tensor = door(lifted(widen(self._weight)).contiguous(), *window, list(image.shape))
        return packed

    def _operands(self, x: Tensor) -> tuple[Tensor, _Window]:
        """The image that the kernel moves over, padded where the padding is not the same at both ends."""
        padded_by, window = self._place(x.shape)
        image = channels_last(lifted(x))
        return (functional.pad(image, padded_by) if padded_by else image), window

    def _place(self, shape: torch.Size) -> tuple[list[int], _Window]:
        if shape not in self._placed:
            padding = self._padding(shape)
            symmetric = is_symmetric(padding)
            before = tuple(size if symmetric else 0 for size, _ in padding)
            window = _Window(
                as_image(before, 0), as_image(self._strides, 1), as_image(self._dilations, 1), self._groups
            )
            self._placed[shape] = ([] if symmetric else flat(padding), window)
        return self._placed[shape]

    def _padding(self, shape: torch.Size) -> Padding:
        return window_padding(*self._padded_by, tuple(shape[2:]), self._sizes, self._strides, self._dilations)
