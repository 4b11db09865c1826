"""Normalizations, by statistics of the operand itself except in ``batch_norm``."""

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.registry import ROUND, Ints, operation


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (x.ndim - 2))


@operation(ROUND)
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    return functional.batch_norm(x, mean, variance, gamma, beta, training=False, eps=epsilon)


@operation(ROUND)
def instance_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5
) -> Tensor:
    variance, mean = torch.var_mean(x, dim=tuple(range(2, x.ndim)), keepdim=True, correction=0)
    normal = (x - mean) * torch.rsqrt(variance + epsilon)
    normal = normal if gamma is None else normal * _per_channel(gamma, x)
    return normal if beta is None else normal + _per_channel(beta, x)


@operation(ROUND)
def l2_norm(x: Tensor, epsilon: float = 1e-6) -> Tensor:
    """The norm over the last three axes."""
    return x * torch.rsqrt(x.square().sum((-3, -2, -1), keepdim=True) + epsilon)


@operation(ROUND)
def layer_norm(
    x: Tensor,
    axes: Ints | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    over = _over(x, axes)
    if over == tuple(range(x.ndim - len(over), x.ndim)):
        return functional.layer_norm(x, x.shape[x.ndim - len(over) :], gamma, beta, epsilon)
    variance, mean = torch.var_mean(x, dim=over, keepdim=True, correction=0)
    return _scaled((x - mean) * torch.rsqrt(variance + epsilon), over, gamma, beta)


def _over(x: Tensor, axes: Ints | None) -> Ints:
    return tuple(range(x.ndim)) if axes is None else tuple(sorted(axis % x.ndim for axis in axes))


def _scaled(normal: Tensor, over: Ints, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
    shape = [size if axis in over else 1 for axis, size in enumerate(normal.shape)]
    normal = normal if gamma is None else normal * gamma.reshape(shape)
    return normal if beta is None else normal + beta.reshape(shape)


@operation(ROUND)
def local_response_norm(
    x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    return functional.local_response_norm(x, size, alpha, beta, k)
