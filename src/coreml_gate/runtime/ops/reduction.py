"""Reductions, over all axes if none are given."""

import torch
from torch import Tensor

from coreml_gate.floats import GREATEST_HALF
from coreml_gate.runtime.ops.neural_engine import narrow_sum
from coreml_gate.runtime.registry import EXACT, ROUND, Ints, operation


def _axes(x: Tensor, axes: Ints | None) -> Ints:
    return tuple(range(x.ndim)) if axes is None else axes


@operation(EXACT)
def reduce_argmax(x: Tensor, axis: int = -1, keep_dims: bool = False) -> Tensor:
    return x.argmax(axis, keep_dims)


@operation(EXACT)
def reduce_argmax_ios17(
    x: Tensor,
    axis: int = -1,
    keep_dims: bool = False,
    output_dtype: str = "int32",  # noqa: ARG001  # the declared output type says it too
) -> Tensor:
    return x.argmax(axis, keep_dims)


@operation(EXACT)
def reduce_argmin(x: Tensor, axis: int = -1, keep_dims: bool = False) -> Tensor:
    return x.argmin(axis, keep_dims)


@operation(EXACT)
def reduce_argmin_ios17(
    x: Tensor,
    axis: int = -1,
    keep_dims: bool = False,
    output_dtype: str = "int32",  # noqa: ARG001  # the declared output type says it too
) -> Tensor:
    return x.argmin(axis, keep_dims)


def _engine_l1_norm(x: Tensor, axes: Ints | None, keep_dims: bool) -> Tensor:
    return narrow_sum(x.abs(), _axes(x, axes), keep_dims)


@operation(ROUND, neural_engine=_engine_l1_norm)
def reduce_l1_norm(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return x.abs().sum(_axes(x, axes), keep_dims)


@operation(ROUND)
def reduce_l2_norm(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    norm = x.float().square().sum(_axes(x, axes), keep_dims).sqrt()
    return norm if x.is_floating_point() else norm.to(x.dtype)


def _engine_log_sum(x: Tensor, axes: Ints | None, keep_dims: bool) -> Tensor:
    return narrow_sum(x, _axes(x, axes), keep_dims).log()


@operation(ROUND, neural_engine=_engine_log_sum, cuts=True)
def reduce_log_sum(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return x.sum(_axes(x, axes), keep_dims).log()


def _engine_log_sum_exp(x: Tensor, axes: Ints | None, keep_dims: bool) -> Tensor:
    """The maximum is not subtracted first; 0 if the sum of exponentials exceeds half precision
    (apple/coremltools#2690, #2726).
    """
    total = x.exp().sum(_axes(x, axes), keep_dims)
    return torch.where(total > GREATEST_HALF, 0.0, total.log())


@operation(ROUND, neural_engine=_engine_log_sum_exp, cuts=True)
def reduce_log_sum_exp(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return x.logsumexp(_axes(x, axes), keep_dims)


@operation(EXACT)
def reduce_max(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return x.amax(_axes(x, axes), keep_dims)


@operation(ROUND)
def reduce_mean(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return (
        x.mean(_axes(x, axes), keep_dims)
        if x.is_floating_point()
        else _integer_mean(x, _axes(x, axes), keep_dims)
    )


def _integer_mean(x: Tensor, axes: Ints, keep_dims: bool) -> Tensor:
    return x.double().mean(axes, keep_dims).trunc().to(x.dtype)


@operation(EXACT)
def reduce_min(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return x.amin(_axes(x, axes), keep_dims)


@operation(ROUND)
def reduce_prod(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in _axes(x, axes)), reverse=True):
        x = x.prod(axis, keep_dims)
    return x


def _engine_sum(x: Tensor, axes: Ints | None, keep_dims: bool) -> Tensor:
    return narrow_sum(x, _axes(x, axes), keep_dims)


@operation(ROUND, neural_engine=_engine_sum)
def reduce_sum(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return x.sum(_axes(x, axes), keep_dims)


def _engine_sum_square(x: Tensor, axes: Ints | None, keep_dims: bool) -> Tensor:
    return narrow_sum(torch.square(x), _axes(x, axes), keep_dims)


@operation(ROUND, neural_engine=_engine_sum_square)
def reduce_sum_square(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return torch.square(x).sum(_axes(x, axes), keep_dims)
