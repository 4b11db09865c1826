"""Compressed weights, expanded once when the program is compiled."""

import torch
from torch import Tensor

from coreml_gate.errors import PackageError
from coreml_gate.mil.dtypes import DTYPES, unpack
from coreml_gate.runtime.registry import EXACT, ROUND, Ints, Tensors, operation


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """A vector as a tensor of the rank of ``x``; a scalar as it is."""
    return (
        values
        if values.numel() == 1 and values.ndim == 0
        else values.reshape(tuple(-1 if place == axis % x.ndim else 1 for place in range(x.ndim)))
    )


@operation(ROUND)
def constexpr_affine_dequantize_ios16(
    quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int
) -> Tensor:
    offset = _along(zero_point, quantized_data, axis)
    return (quantized_data.float() - offset) * _along(scale, quantized_data, axis)


@operation(EXACT)
def constexpr_cast_ios16(source_val: Tensor, output_dtype: str) -> Tensor:  # noqa: ARG001  # the declared output type has it too
    return source_val


@operation(EXACT)
def constexpr_lut_to_dense_ios16(indices: Tensor, lut: Tensor, shape: Ints) -> Tensor:
    count = torch.Size(shape).numel()
    bits = lut.numel().bit_length() - 1
    places = indices.numpy() if bits == 8 else unpack(indices.numpy(), DTYPES[f"uint{bits}"], count)  # noqa: PLR2004  # a byte
    return lut.flatten().index_select(0, torch.from_numpy(places).int()[:count]).reshape(shape)


@operation(EXACT)
def constexpr_sparse_to_dense_ios16(nonzero_data: Tensor, mask: Tensor, shape: Ints) -> Tensor:
    bits = unpack(mask.numpy(), DTYPES["uint1"], torch.Size(shape).numel())
    return _dense(nonzero_data, torch.from_numpy(bits).reshape(shape))


@operation(ROUND)
def constexpr_blockwise_shift_scale_ios18(
    data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> Tensor:
    """Each block of ``data`` has its own scale and offset; the shapes give the blocks' size."""
    for axis, (size, blocks) in enumerate(zip(data.shape, scale.shape, strict=True)):
        scale = scale.repeat_interleave(size // blocks, axis)
        offset = None if offset is None else offset.repeat_interleave(size // blocks, axis)
    return scale * (data.float() if offset is None else data.float() - offset.float())


@operation(EXACT)
def constexpr_lut_to_dense_ios18(indices: Tensor, lut: Tensor, vector_axis: int | None = None) -> Tensor:
    """Each group of indices has its own table of vectors; a vector gives elements along ``vector_axis``."""
    rows, length = _rows(indices, lut), lut.shape[-1]
    vectors = lut.reshape(-1, length).index_select(0, rows.flatten()).reshape(*indices.shape, length)
    if vector_axis is None:
        return vectors.squeeze(-1)
    axis = vector_axis % indices.ndim
    return vectors.movedim(-1, axis + 1).flatten(axis, axis + 1)


def _rows(indices: Tensor, lut: Tensor) -> Tensor:
    """The row of each index among those of all tables, without a copy of the tables.

    :raises PackageError: The tables do not fit the indices.
    """
    entries = lut.shape[-2]
    if lut.ndim != indices.ndim + 2 or (indices.numel() and int(indices.max()) >= entries):
        raise PackageError(f"indices of the shape {tuple(indices.shape)} point outside of their tables.")
    rows, size = indices.int(), entries
    for axis in reversed(range(indices.ndim)):
        tables = lut.shape[axis]
        first = torch.arange(tables, dtype=torch.int32) * size
        rows += _along(first.repeat_interleave(indices.shape[axis] // tables), indices, axis)
        size *= tables
    return rows


@operation(EXACT)
def constexpr_sparse_to_dense_ios18(nonzero_data: Tensor, mask: Tensor) -> Tensor:
    return _dense(nonzero_data, mask)


@operation(EXACT)
def constexpr_lut_to_sparse_ios18(
    indices_mask: Tensor, indices_nonzero_data: Tensor, lut: Tensor, vector_axis: int | None = None
) -> Tensors:
    dense = constexpr_lut_to_dense_ios18(_dense(indices_nonzero_data, indices_mask), lut, vector_axis)
    mask = indices_mask if vector_axis is None else indices_mask.repeat_interleave(lut.shape[-1], vector_axis)
    return mask, dense[mask.bool()]


@operation(ROUND)
def constexpr_sparse_blockwise_shift_scale_ios18(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> Tensors:
    dense = constexpr_blockwise_shift_scale_ios18(_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask.bool()]


def _dense(values: Tensor, mask: Tensor) -> Tensor:
    return torch.zeros(mask.shape, dtype=values.dtype).masked_scatter(mask.bool(), values)
