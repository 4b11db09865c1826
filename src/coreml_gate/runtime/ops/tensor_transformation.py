"""Operations that only change shapes and orders."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.registry import EXACT, Bools, Ints, Tensors, operation


@operation(EXACT)
def batch_to_space(x: Tensor, block_shape: Ints, crops: Ints) -> Tensor:
    (high, wide), (top, bottom, left, right) = block_shape, crops
    batch, channels, height, width = x.shape
    blocks = x.reshape(high, wide, batch // (high * wide), channels, height, width)
    whole = blocks.permute(2, 3, 4, 0, 5, 1).reshape(-1, channels, height * high, width * wide)
    return whole[:, :, top : height * high - bottom, left : width * wide - right]


@operation(EXACT)
def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    batch, channels, height, width = x.shape
    depth = channels // block_size**2
    blocks = x.reshape(batch, block_size, block_size, depth, height, width)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(batch, depth, height * block_size, width * block_size)


@operation(EXACT)
def expand_dims(x: Tensor, axes: Ints) -> Tensor:
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operation(EXACT)
def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    return functional.pixel_shuffle(x, upscale_factor)


@operation(EXACT)
def pixel_unshuffle_ios16(x: Tensor, downscale_factor: int) -> Tensor:
    return functional.pixel_unshuffle(x, downscale_factor)


@operation(EXACT)
def reshape(x: Tensor, shape: Ints) -> Tensor:
    """A 0 keeps the size of the same axis of ``x``."""
    return x.reshape(
        tuple(x.shape[axis] if size == 0 and x.numel() else size for axis, size in enumerate(shape))
    )


@operation(EXACT)
def reshape_ios17(x: Tensor, shape: Ints) -> Tensor:
    """A 0 keeps the size of that axis of ``x``, counted from the end, or is 1 if ``x`` has no such axis."""
    if 0 not in shape or not x.numel():
        return x.reshape(shape)
    sizes = (1,) * max(len(shape) - x.ndim, 0) + tuple(x.shape[max(x.ndim - len(shape), 0) :])
    return x.reshape(tuple(own if size == 0 else size for size, own in zip(shape, sizes, strict=True)))


@operation(EXACT)
def reshape_like_ios16(
    x: Tensor, ref_tensors: Tensors, begins: Tensors, ends: Tensors, end_masks: Tensors
) -> Tensor:
    shape: list[int] = []
    for reference, begin, end, to_end in zip(ref_tensors, begins, ends, end_masks, strict=True):
        shape += reference.shape[int(begin) : None if to_end else int(end)]
    return x.reshape(shape)


@operation(EXACT)
def reverse(x: Tensor, axes: Ints | None = None) -> Tensor:
    return x.flip(tuple(range(x.ndim)) if axes is None else axes)


@operation(EXACT)
def reverse_sequence(x: Tensor, lengths: Tensor, seq_axis: int = 0, batch_axis: int = 0) -> Tensor:
    places = torch.arange(x.shape[seq_axis])
    counts = lengths.long()[:, None]
    order = torch.where(places < counts, counts - 1 - places, places)
    moved = x.movedim((batch_axis, seq_axis), (0, 1))
    picked = moved[torch.arange(len(lengths))[:, None], order]
    return picked.movedim((0, 1), (batch_axis, seq_axis))


@operation(EXACT)
def slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    index, flipped, squeezed = _slices(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    part = x[index]
    part = part.flip(flipped) if flipped else part
    return part.squeeze(squeezed) if squeezed else part


@operation(EXACT)
def slice_by_size(x: Tensor, begin: Ints, size: Ints) -> Tensor:
    """A size of -1 extends to the end."""
    starts = [start % length if start < 0 else start for start, length in zip(begin, x.shape, strict=True)]
    return x[
        tuple(
            slice(start, None if count == -1 else start + count)
            for start, count in zip(starts, size, strict=True)
        )
    ]


@operation(EXACT)
def slice_update_ios18(
    x: Tensor,
    update: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    index, flipped, squeezed = _slices(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    for axis in squeezed:
        update = update.unsqueeze(axis)
    result = x.clone()
    result[index] = update.flip(flipped) if flipped else update
    return result


@lru_cache(maxsize=4096)
def _slices(  # the operation's own order
    sizes: torch.Size,
    begin: Ints,
    end: Ints,
    stride: Ints | None,
    begin_mask: Bools | None,
    end_mask: Bools | None,
    squeeze_mask: Bools | None,
) -> tuple[tuple[slice, ...], Ints, Ints]:
    """Slices with positive steps, the axes to flip afterwards (torch has no negative steps), the axes to
    drop.
    """
    axes, no = range(len(sizes)), (False,) * len(sizes)
    begin_mask, end_mask, squeeze_mask = begin_mask or no, end_mask or no, squeeze_mask or no
    steps = (1,) * len(sizes) if stride is None else stride
    squeezed = tuple(axis for axis in axes if squeeze_mask[axis])
    index = []
    for axis, size in enumerate(sizes):
        start = None if begin_mask[axis] else begin[axis]
        stop = None if end_mask[axis] else end[axis]
        if squeeze_mask[axis]:
            index.append(_single(start, size))
        else:
            index.append(_forward(range(size)[start : stop : steps[axis]]))
    flipped = tuple(axis for axis in axes if steps[axis] < 0 and not squeeze_mask[axis])
    return tuple(index), flipped, squeezed


def _single(start: int | None, size: int) -> slice:
    """The index on an axis that is dropped; before the first counts as the first, as in coremltools."""
    places = range(size)[start:]
    if not places:
        raise IndexError(f"the index {start} lies outside of an axis of {size}")
    return slice(places[0], places[0] + 1)


def _forward(places: range) -> slice:
    if not len(places):
        return slice(0, 0)
    first, last = min(places[0], places[-1]), max(places[0], places[-1])
    return slice(first, last + 1, abs(places.step))


@operation(EXACT)
def sliding_windows(x: Tensor, axis: int, size: int, stride: int = 1) -> Tensor:
    axis %= x.ndim
    return x.unfold(axis, size, stride).movedim(-1, axis + 1)


@operation(EXACT)
def space_to_batch(x: Tensor, block_shape: Ints, paddings: Ints) -> Tensor:
    (high, wide), (top, bottom, left, right) = block_shape, paddings
    padded = functional.pad(x, (left, right, top, bottom))
    batch, channels, height, width = padded.shape
    blocks = padded.reshape(batch, channels, height // high, high, width // wide, wide)
    return blocks.permute(3, 5, 0, 1, 2, 4).reshape(-1, channels, height // high, width // wide)


@operation(EXACT)
def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels, height // block_size, block_size, width // block_size, block_size)
    depth = channels * block_size**2
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(batch, depth, height // block_size, width // block_size)


@operation(EXACT)
def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(axes)


@operation(EXACT)
def transpose(x: Tensor, perm: Ints) -> Tensor:
    return x.permute(perm)
