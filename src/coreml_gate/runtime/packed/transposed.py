"""Computes ``conv_transpose`` over one to three axes by oneDNN, channels last."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coreml_gate.runtime.ops.conv import cropped, torch_takes_extra, transposed_crop
from coreml_gate.runtime.ops.padding import Padding
from coreml_gate.runtime.packed.kernel import LEAST_PRODUCTS, Constants, WindowKernel
from coreml_gate.runtime.packed.onednn import NOTHING, as_image, channels_last, lifted, lowered
from coreml_gate.runtime.precision import widen
from coreml_gate.runtime.registry import Body, Ints


class PackedTransposedConvolution(WindowKernel):
    """A transposed convolution with constant weights."""

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        super().__init__(body, constants, release)
        self._cut_by = (
            constants.get("pad"),
            constants.get("output_shape"),
            constants.get("pad_type", "valid"),
        )
        self._crops: dict[torch.Size, Padding] = {}

    def pays(self, x: Tensor) -> bool:
        """Whether oneDNN accepts this operand and the layer is large enough."""
        if x.ndim != len(self._sizes) + 2 or self._weight.numel() == 0:
            return False
        products = x.shape[0] * math.prod(x.shape[2:]) * self._weight.numel()
        return products >= LEAST_PRODUCTS and torch_takes_extra(
            self._extra(x.shape), self._strides, self._dilations
        )

    def compute(self, x: Tensor) -> Tensor:
        """The result by oneDNN."""
        door = torch.ops.mkldnn._convolution_transpose_pointwise  # noqa: SLF001  # torch has no public one
        image, window = channels_last(lifted(x)), self._window(x.shape)
        whole = door(image, self.weight_for(x), self._bias, *window, *NOTHING)
        return cropped(lowered(whole, x.ndim), self._crop(x.shape))

    def pack(self, x: Tensor) -> Tensor:
        """The weight in oneDNN's layout."""
        door = torch.ops.mkldnn._reorder_convolution_transpose_weight  # noqa: SLF001  # torch has no public one
        weight = lifted(widen(self._weight)).contiguous()
        packed: Tensor = door(weight, *self._window(x.shape), list(lifted(x).shape))
        return packed

    def _window(self, shape: torch.Size) -> tuple[Ints, Ints, Ints, Ints, int]:
        """Padding, output padding, strides, dilations and groups, as arguments of torch's oneDNN call."""
        none = as_image((0,) * len(self._sizes), 0)
        strides, dilations = as_image(self._strides, 1), as_image(self._dilations, 1)
        return none, as_image(self._extra(shape), 0), strides, dilations, self._groups

    def _extra(self, shape: torch.Size) -> Ints:
        return tuple(max(-after, 0) for _, after in self._crop(shape))

    def _crop(self, shape: torch.Size) -> Padding:
        if shape not in self._crops:
            self._crops[shape] = transposed_crop(
                tuple(shape[2:]), self._sizes, *self._cut_by, self._strides, self._dilations
            )
        return self._crops[shape]
