"""Activation operations."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.ops.neural_engine import GREATEST_EXPONENTIAL, without_nan
from coreml_gate.runtime.registry import EXACT, ROUND, operation


@operation(ROUND)
def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    return functional.leaky_relu(x, alpha).clamp_(max=beta)


@operation(ROUND, native=True)
def elu(x: Tensor, alpha: float) -> Tensor:
    return functional.elu(x, alpha)


@operation(ROUND)
def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return functional.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


@operation(ROUND, native=True)
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return functional.leaky_relu(x, alpha)


@operation(ROUND)
def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    return torch.add(torch.tensor(beta), x, alpha=alpha)


@operation(ROUND)
def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    return functional.prelu(x, alpha)


@operation(EXACT)
def relu(x: Tensor) -> Tensor:
    return torch.relu(x)


@operation(EXACT)
def relu6(x: Tensor) -> Tensor:
    return x.clamp(0, 6)


@operation(ROUND)
def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * torch.tanh(beta * x)


@operation(ROUND, native=True)
def sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


TORCHS_ALPHA, TORCHS_BETA = float(np.float32(1 / 6)), 0.5
"""The parameters of torch's ``hardsigmoid``, which is one kernel instead of two in half precision."""


@operation(ROUND, native=True)
def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    """In float32 the product is rounded before the sum, as in oneDNN's hard-swish of a layer."""
    if x.dtype is torch.float32:
        return x.mul(alpha).add_(beta).clamp_(0, 1)
    if alpha == TORCHS_ALPHA and beta == TORCHS_BETA:
        return functional.hardsigmoid(x)
    return torch.add(torch.tensor(beta), x, alpha=alpha).clamp_(0, 1)


@operation(ROUND, native=True)
def silu(x: Tensor) -> Tensor:
    return functional.silu(x)


def _engine_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Infinite elements share the result, since inf - inf is 0 on the engine (sbryngelson/ane-guide)."""
    return torch.softmax(without_nan(x - x.amax(axis, keepdim=True), 0.0), axis)


@operation(ROUND, native=True, neural_engine=_engine_softmax)
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


def _engine_softplus(x: Tensor) -> Tensor:
    """0 if the exponential exceeds the engine's range (apple/coremltools#2687)."""
    return torch.where(x > math.log(GREATEST_EXPONENTIAL), 0.0, softplus(x))


@operation(ROUND, neural_engine=_engine_softplus)
def softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


@operation(ROUND)
def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    per_channel = (-1, *(1,) * (x.ndim - 2))
    scaled = beta.reshape(per_channel) * x
    return alpha.reshape(per_channel) * torch.logaddexp(scaled, torch.zeros_like(scaled))


@operation(ROUND)
def softsign(x: Tensor) -> Tensor:
    return x / (1 + x.abs())


@operation(EXACT)
def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return torch.threshold(x, next_below(alpha, x.dtype), 0.0)


@lru_cache(maxsize=256)
def next_below(alpha: float, dtype: torch.dtype) -> float:
    """The number before ``alpha``: torch's threshold keeps only greater values, MIL's also equal ones."""
    kind = np.float16 if dtype is torch.float16 else np.float32
    return float(np.nextafter(kind(alpha), kind(-np.inf)))
