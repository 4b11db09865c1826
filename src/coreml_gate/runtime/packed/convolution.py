"""Computes ``conv`` over one to three axes by oneDNN, channels last."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.ops.padding import Padding, flat, is_symmetric, window_padding
from coreml_gate.runtime.packed.kernel import LEAST_PRODUCTS, Constants, ExtensibleKernel, WindowKernel
from coreml_gate.runtime.packed.onednn import (
    NOTHING,
    After,
    as_image,
    channels_last,
    lifted,
    lowered,
    sum_then,
)
from coreml_gate.runtime.precision import widen
from coreml_gate.runtime.registry import Body, Ints
from coreml_gate.untyped import MilValue

MOST_BY_MATRIX: Final = 2**24
"""Products of a pointwise layer up to which oneDNN's matrix product is faster than its convolution, by 5 to 9
microseconds a call; above, fusing the sum after the layer saves more, which the matrix product cannot do."""
_IMAGE: Final = 4
Run = Callable[[Tensor], Tensor]


def _strides_last(shape: Ints) -> Ints:
    """The strides of a sequence or an image of this shape, channels innermost."""
    _, channels, *sizes = shape
    steps = [channels * math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    return channels * math.prod(sizes), 1, *steps


class _Window(NamedTuple):
    """How the kernel moves over operands of one shape, as arguments of torch's oneDNN call."""

    padding: Ints
    strides: Ints
    dilations: Ints
    groups: int


class PackedConvolution(WindowKernel, ExtensibleKernel):
    """A convolution with constant weights; the kernel for operands of one shape is chosen once."""

    def __init__(self, body: Body, constants: Constants, release: Callable[[], None]) -> None:
        super().__init__(body, constants, release)
        self._padded_by: tuple[str, Ints | None] = (constants.get("pad_type", "valid"), constants.get("pad"))
        self._placed: dict[torch.Size, tuple[list[int], _Window]] = {}
        self._runs: dict[tuple[torch.Size, str], Run] = {}
        self._matrix: Tensor | None = None
        self._gain: tuple[float, float] | None = None

    def __call__(self, x: Tensor, *_: MilValue) -> Tensor:
        """The operation's result, called like its body, with the constants as further arguments."""
        return self.compute(x)

    def pays(self, x: Tensor) -> bool:
        """Always true for several groups, because torch's own call takes 25 microseconds for any size."""
        if x.ndim != len(self._sizes) + 2 or self._weight.numel() == 0:
            return False
        places = self._places(x.shape)
        return min(places) > 0 and (self._groups > 1 or self._products(x.shape) >= LEAST_PRODUCTS)

    def compute(self, x: Tensor, after: After = NOTHING) -> Tensor:
        """As ``ExtensibleKernel`` says."""
        key = x.shape, after.name
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = self._run_for(x, after)
        return run(x)

    def sums(self, x: Tensor) -> bool:
        """As ``ExtensibleKernel`` says."""
        return self.serves(x) and not self._is_product(x.shape)

    def add_to(self, other: Tensor, x: Tensor, after: After = NOTHING) -> Tensor:
        """As ``ExtensibleKernel`` says."""
        image, window = self._operands(x)
        over = channels_last(lifted(other))
        door = torch.ops.mkldnn._convolution_pointwise_  # torch has no public one
        return lowered(
            door(over, image, self.weight_for(x), self._bias, *window, *sum_then(after)), other.ndim
        )

    def pack(self, x: Tensor) -> Tensor:
        """The weight in oneDNN's layout."""
        image, window = self._operands(x)
        door = torch.ops.mkldnn._reorder_convolution_weight  # noqa: SLF001  # torch has no public one
        packed: Tensor = door(lifted(widen(self._weight)).contiguous(), *window, list(image.shape))
        return packed

    def most(self, operand: float) -> float:
        """As ``ExtensibleKernel`` says."""
        if self._gain is None:
            sums = widen(self._weight).abs().flatten(1).sum(1, dtype=torch.float64)
            bias = torch.zeros(1) if self._bias is None else self._bias.abs()
            self._gain = float(sums.amax()), float(bias.amax())
        gain, bias_most = self._gain
        return gain * operand + bias_most

    def _run_for(self, x: Tensor, after: After) -> Run:
        if not self.serves(x):
            return self._one_place() if self._is_pointwise and x.shape[2:] == self._sizes else self._plain
        return self._product(x, after) if self._is_product(x.shape) else self._window_run(x, after)

    def _window_run(self, x: Tensor, after: After) -> Run:
        (padded_by, window), weight = self._place(x.shape), self.weight_for(x)
        rest, rank = (self._bias, *window, *after), x.ndim
        door = torch.ops.mkldnn._convolution_pointwise.default  # noqa: SLF001  # torch has no public one

        def run(x: Tensor) -> Tensor:
            image = channels_last(lifted(x))
            image = functional.pad(image, padded_by) if padded_by else image
            return lowered(door(image, weight, *rest), rank)

        return run

    def _product(self, x: Tensor, after: After) -> Run:
        """A pointwise layer as the product of the image's pixels with a matrix, with fewer calls.

        torch's oneDNN call takes rows of pixels directly; from an image it makes them, by four calls.
        """
        if self._matrix is None:
            door = torch.ops.mkldnn._reorder_linear_weight  # noqa: SLF001  # torch has no public one
            self._matrix = door(widen(self._weight).flatten(1).contiguous(), math.prod(x.shape[2:]))
            self._release()
        matrix, bias = self._matrix, self._bias
        multiply = torch.ops.mkldnn._linear_pointwise.default  # noqa: SLF001  # torch has no public one
        (batch, channels, *sizes), width = x.shape, len(self._weight)
        places, given = (batch * math.prod(sizes), channels), _strides_last(x.shape)
        shape = (batch, width, *sizes)
        strides = _strides_last(shape)

        def run(x: Tensor) -> Tensor:
            if x.stride() == given:
                rows = x.as_strided(places, (channels, 1))
            else:
                rows = x.flatten(2).transpose(1, 2).reshape(places)
            result: Tensor = multiply(rows, matrix, bias, *after)
            return result.as_strided(shape, strides)

        return run

    def _one_place(self) -> Run:
        """The computation of the operation's body, with all decisions for the shape made in advance."""
        weight, bias = widen(self._weight).flatten(1), self._bias
        places = self._sizes
        return lambda x: functional.linear(x.flatten(1), weight, bias).reshape(len(x), len(weight), *places)

    @property
    def _is_pointwise(self) -> bool:
        """Whether its window is one pixel, moves pixel by pixel, and covers all channels."""
        steps = (*self._sizes, *self._strides, self._groups)
        unpadded = self._padded_by[0] != "custom" or not any(self._padded_by[1] or ())
        return set(steps) == {1} and unpadded

    def _is_product(self, shape: torch.Size) -> bool:
        """Whether it is a pointwise layer on a sequence or an image, small enough for the matrix product."""
        return self._is_pointwise and len(shape) <= _IMAGE and self._products(shape) <= MOST_BY_MATRIX

    def _products(self, shape: torch.Size) -> int:
        return shape[0] * math.prod(self._places(shape)) * self._weight.numel()

    def _places(self, shape: torch.Size) -> Ints:
        return tuple(
            (size + sum(padding) - dilation * (width - 1) - 1) // stride + 1
            for size, padding, width, stride, dilation in zip(
                shape[2:], self._padding(shape), self._sizes, self._strides, self._dilations, strict=True
            )
        )

    def _operands(self, x: Tensor) -> tuple[Tensor, _Window]:
        """The kernel's input image, padded here if the two ends differ in padding."""
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
