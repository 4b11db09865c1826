"""Making, joining, splitting, sorting and padding tensors."""

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.errors import PackageError
from coreml_gate.runtime.registry import EXACT, ROUND, Ints, Number, Tensors, operation


@operation(EXACT)
def argsort(x: Tensor, axis: int = -1, ascending: bool = False) -> Tensor:
    """NaN counts as the least number, in torch as the greatest; Core ML's order of ties is undefined
    (kasper0406/stablehlo-coreml, test_sort and its multi-key sort).
    """
    keys = torch.where(x.isnan(), -torch.inf, x) if x.is_floating_point() else x
    return keys.argsort(dim=axis, descending=not ascending, stable=True)


@operation(EXACT)
def band_part(x: Tensor, lower: int = -1, upper: int = -1) -> Tensor:
    x = x if upper < 0 else x.tril(upper)
    return x if lower < 0 else x.triu(-lower)


@operation(EXACT)
def concat(values: Tensors, axis: int, interleave: bool = False) -> Tensor:
    """Scalars are joined as vectors of one element."""
    values = tuple(value.reshape(1) if value.ndim == 0 else value for value in values)
    if not interleave:
        return torch.cat(values, axis)
    return torch.stack(values, axis % values[0].ndim + 1).flatten(
        axis % values[0].ndim, axis % values[0].ndim + 1
    )


@operation(ROUND)
def cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    x = x.flip(axis) if reverse else x
    total = x.cumsum(axis)
    total = total - x if exclusive else total
    return total.flip(axis) if reverse else total


@operation(EXACT)
def fill(shape: Ints, value: Number = 0.0) -> Tensor:
    return torch.full(shape, value)


@operation(EXACT)
def fill_like_ios16(ref_tensor: Tensor, value: Number = 0.0) -> Tensor:
    return torch.full(ref_tensor.shape, value)


@operation(EXACT)
def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    return x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())


@operation(EXACT)
def identity(x: Tensor) -> Tensor:
    return x


@operation(EXACT)
def non_zero(x: Tensor) -> Tensor:
    return x.nonzero()


@operation(EXACT)
def one_hot(
    indices: Tensor, one_hot_vector_size: int, axis: int = -1, on_value: Number = 1, off_value: Number = 0
) -> Tensor:
    """An index outside of the vector gives ``off_value`` throughout."""
    places = torch.arange(one_hot_vector_size)
    hot = indices.unsqueeze(-1) == places
    vectors = torch.where(hot, torch.tensor(on_value), torch.tensor(off_value))
    return vectors.movedim(-1, axis)


@operation(EXACT)
def pad(x: Tensor, pad: Ints, mode: str = "constant", constant_val: Number = 0.0) -> Tensor:
    pairs = tuple(zip(pad[::2], pad[1::2], strict=True))
    if mode == "constant":
        return functional.pad(x, [size for pair in reversed(pairs) for size in pair], value=constant_val)
    for axis, (before, after) in enumerate(pairs, x.ndim - len(pairs)):
        if before or after:
            x = x.index_select(axis, _border(x.shape[axis], before, after, mode))
    return x


def _border(size: int, before: int, after: int, mode: str) -> Tensor:
    """The indices of the elements of an axis of ``size`` after it is padded with its own values."""
    places = torch.arange(-before, size + after)
    if mode == "replicate":
        return places.clamp(0, size - 1)
    return (size - 1) - ((size - 1) - places.abs()).abs()


@operation(ROUND)
def range_1d(end: Number, start: Number, step: Number) -> Tensor:
    if (end - start) * step < 0:
        message = f"the range from {start} to {end} in steps of {step} is invalid to Core ML as well"
        raise PackageError(
            f"{message} (apple/coremltools#2838).",
            "a negative shift of `torch.roll` ends so: cut and join, `torch.cat([x[:, k:], x[:, :k]], 1)`.",
        )
    return torch.arange(start, end, step)


@operation(EXACT)
def shape(x: Tensor) -> Tensor:
    return torch.tensor(x.shape, dtype=torch.int32)


@operation(EXACT)
def split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None) -> Tensors:
    sizes = (
        [x.shape[axis] // (num_splits or 1)] * (num_splits or 1) if split_sizes is None else list(split_sizes)
    )
    return torch.split(x, sizes, axis)


@operation(EXACT)
def stack(values: Tensors, axis: int) -> Tensor:
    return torch.stack(values, axis)


@operation(EXACT)
def tile(x: Tensor, reps: Ints) -> Tensor:
    return x.tile(reps)


@operation(EXACT)
def topk(
    x: Tensor,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,  # noqa: ARG001  # "unsorted" allows sorted results
    return_indices: bool = True,
    output_indices_dtype: str | None = None,  # noqa: ARG001  # the declared output type says it too
) -> Tensors:
    values, indices = x.sort(dim=axis, descending=not ascending, stable=True)
    count = x.shape[axis] if k == -1 else k
    values = values.narrow(axis, 0, count)
    return (values, indices.narrow(axis, 0, count)) if return_indices else (values,)
