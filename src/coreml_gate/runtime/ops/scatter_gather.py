"""Gather and scatter: reading and writing at computed indices.

A negative index counts from the end, unless ``validate_indices`` (from iOS 17 on) forbids it. An index beyond
either end is an error, whatever Core ML reads there (an arbitrary element of the tensor on the GPU).
"""

from collections.abc import Callable
from math import prod

import numpy as np
import torch
from torch import Tensor

from coreml_gate.errors import PackageError
from coreml_gate.runtime.registry import EXACT, ROUND, operation


def _from_start(indices: Tensor, size: int, *, validate: bool) -> Tensor:
    places, least = indices.long(), 0 if validate else -size
    if bool((outside := (places < least) | (places >= size)).any()):
        message = f"index {int(places[outside][0])} lies outside of {least} to {size - 1}."
        raise PackageError(message, "clamp the indices to the axis before they are used.")
    return torch.where(places < 0, places + size, places)


@operation(EXACT)
def gather(
    x: Tensor,
    indices: Tensor,
    axis: int = 0,
    batch_dims: int = 0,
    validate_indices: bool = False,
) -> Tensor:
    axis %= x.ndim
    places = _from_start(indices, x.shape[axis], validate=validate_indices)
    if not batch_dims:
        picked = x.index_select(axis, places.reshape(-1))
        return picked.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    rows = x.movedim(axis, batch_dims).flatten(0, batch_dims - 1)
    flat = places.reshape(len(rows), -1)
    picked = rows[torch.arange(len(rows))[:, None], flat]
    picked = picked.reshape((*indices.shape, *rows.shape[2:]))
    between = tuple(range(indices.ndim, indices.ndim + axis - batch_dims))
    return picked.movedim(between, tuple(range(batch_dims, axis))) if between else picked


@operation(EXACT)
def gather_along_axis(x: Tensor, indices: Tensor, axis: int = 0, validate_indices: bool = False) -> Tensor:
    return x.gather(axis, _from_start(indices, x.shape[axis], validate=validate_indices))


@operation(EXACT)
def gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    depth = indices.shape[-1]
    sizes = x.shape[batch_dims : batch_dims + depth]
    rows = x.reshape(prod(x.shape[:batch_dims]), prod(sizes), *x.shape[batch_dims + depth :])
    flat = _linear(indices, sizes, validate=validate_indices).reshape(len(rows), -1)
    picked = rows[torch.arange(len(rows))[:, None], flat]
    return picked.reshape((*indices.shape[:-1], *x.shape[batch_dims + depth :]))


def _linear(indices: Tensor, sizes: torch.Size, *, validate: bool) -> Tensor:
    """Row-major positions from index vectors along the last axis."""
    places = torch.zeros(indices.shape[:-1], dtype=torch.long)
    for axis, size in enumerate(sizes):
        places = places * size + _from_start(indices[..., axis], size, validate=validate)
    return places


@operation(ROUND)
def scatter(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    axis %= data.ndim
    moved = data.movedim(axis, 0)
    spread = tuple(range(axis, axis + indices.ndim))
    rows = updates.movedim(spread, tuple(range(indices.ndim))).reshape(-1, *moved.shape[1:])
    places = _from_start(indices, data.shape[axis], validate=validate_indices).reshape(-1)
    return _put(moved, places, rows, mode).movedim(0, axis)


@operation(ROUND)
def scatter_along_axis(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    axis %= data.ndim
    grid = list(torch.meshgrid(*(torch.arange(size) for size in indices.shape), indexing="ij"))
    grid[axis] = _from_start(indices, data.shape[axis], validate=validate_indices)
    places = _linear(torch.stack(grid, -1), data.shape, validate=False).reshape(-1)
    return _put(data.reshape(-1), places, updates.reshape(-1), mode).reshape(data.shape)


@operation(ROUND)
def scatter_nd(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    depth = indices.shape[-1]
    rest = data.shape[depth:]
    places = _linear(indices, data.shape[:depth], validate=validate_indices).reshape(-1)
    rows = data.reshape(prod(data.shape[:depth]), *rest)
    return _put(rows, places, updates.reshape(-1, *rest), mode).reshape(data.shape)


def _put(rows: Tensor, places: Tensor, updates: Tensor, mode: str) -> Tensor:
    """``rows`` with ``updates`` applied at ``places``; if a place repeats, all of its updates count."""
    return _MODES[mode](rows, places, updates.to(rows.dtype))


def _one_by_one(step: np.ufunc) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Update one by one, because torch's ``index_reduce`` is in beta and has no division."""

    def put(rows: Tensor, places: Tensor, updates: Tensor) -> Tensor:
        result = rows.clone(memory_format=torch.contiguous_format)
        step.at(result.numpy(), places.numpy(), updates.numpy())
        return result

    return put


_MODES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "add": lambda rows, places, updates: rows.index_add(0, places, updates),
    "sub": lambda rows, places, updates: rows.index_add(0, places, updates, alpha=-1),
    "mul": _one_by_one(np.multiply),
    "div": _one_by_one(np.divide),
    "max": _one_by_one(np.maximum),
    "min": _one_by_one(np.minimum),
    "update": lambda rows, places, updates: rows.index_copy(0, places, updates),
}
