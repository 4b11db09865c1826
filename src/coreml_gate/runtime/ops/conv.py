"""Convolutions over one to three spatial axes."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.ops.padding import Padding, flat, is_symmetric, window_padding
from coreml_gate.runtime.registry import ROUND, Ints, operation

_CONV: dict[int, Callable[..., Tensor]] = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}
_TRANSPOSE: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


@operation(ROUND, products=True)
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    """A 1x1 kernel on one pixel (squeeze-and-excitation) runs as a linear layer in a fifth of the time."""
    rank = x.ndim - 2
    ones = (1,) * rank
    strides = ones if strides is None else strides
    dilations = ones if dilations is None else dilations
    padding = window_padding(pad_type, pad, x.shape[2:], weight.shape[2:], strides, dilations)
    if groups == 1 and x.shape[2:] == weight.shape[2:] == ones and not any(flat(padding)):
        return functional.linear(x.flatten(1), weight.flatten(1), bias).reshape(
            x.shape[0], weight.shape[0], *ones
        )
    if not is_symmetric(padding):
        x, padding = functional.pad(x, flat(padding)), ((0, 0),) * rank
    return _CONV[rank](x, weight, bias, strides, [before for before, _ in padding], dilations, groups)


@operation(ROUND, products=True)
def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Ints | None = None,
    output_shape: Ints | None = None,
    pad_type: str = "valid",
    strides: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    """The whole transposed convolution, then cropped by ``pad`` at each end of each axis."""
    rank = x.ndim - 2
    strides = (1,) * rank if strides is None else strides
    dilations = (1,) * rank if dilations is None else dilations
    crop = transposed_crop(x.shape[2:], weight.shape[2:], pad, output_shape, pad_type, strides, dilations)
    extra = tuple(max(-after, 0) for _, after in crop)
    legal = torch_takes_extra(extra, strides, dilations)
    taken = extra if legal else (0,) * rank
    result = _TRANSPOSE[rank](x, weight, bias, strides, 0, taken, groups, dilations)
    result = result if legal else functional.pad(result, flat(tuple((0, size) for size in extra)))
    return cropped(result, crop)


def transposed_crop(
    sizes: Ints,
    kernel: Ints,
    pad: Ints | None,
    output_shape: Ints | None,
    pad_type: str,
    strides: Ints,
    dilations: Ints,
) -> Padding:
    """The crop of a whole transposed convolution at each end of each axis; negative values add elements."""
    full = tuple(
        (size - 1) * stride + (width - 1) * dilation + 1
        for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True)
    )
    wanted = tuple(size * stride for size, stride in zip(sizes, strides, strict=True))
    out = wanted if output_shape is None else output_shape[-len(full) :]
    crop = _crop(pad_type, pad, full, out)
    if output_shape is None:
        return crop
    return tuple(
        (before, size - before - kept) for (before, _), size, kept in zip(crop, full, out, strict=True)
    )


def cropped(result: Tensor, crop: Padding) -> Tensor:
    """A view without the cropped elements; those that a negative crop adds already exist."""
    for axis, (before, after) in enumerate(crop, 2):
        result = result.narrow(axis, before, result.shape[axis] - before - max(after, 0))
    return result


def torch_takes_extra(extra: Ints, strides: Ints, dilations: Ints) -> bool:
    """Whether torch accepts this output padding."""
    return all(
        size < max(stride, dilation) for size, stride, dilation in zip(extra, strides, dilations, strict=True)
    )


def _crop(pad_type: str, pad: Ints | None, full: Ints, wanted: Ints) -> Padding:
    if pad_type == "custom" and pad is not None:
        return tuple(zip(pad[::2], pad[1::2], strict=True))
    if pad_type in {"valid", "custom"}:
        return ((0, 0),) * len(full)
    totals = [max(size - out, 0) for size, out in zip(full, wanted, strict=True)]
    lower = pad_type == "same_lower"
    return tuple(
        (total - total // 2, total // 2) if lower else (total // 2, total - total // 2) for total in totals
    )
