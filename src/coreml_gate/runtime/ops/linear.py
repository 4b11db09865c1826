"""Matrix products."""

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.registry import ROUND, Tensors, operation

_MATRIX = 2


@operation(ROUND)
def einsum(values: Tensors, equation: str) -> Tensor:
    return torch.einsum(equation, *values)


@operation(ROUND)
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.linear(x, weight, bias)


@operation(ROUND)
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    x = x.transpose(-1, -2) if transpose_x and x.ndim >= _MATRIX else x
    y = y.transpose(-1, -2) if transpose_y and y.ndim >= _MATRIX else y
    return torch.matmul(x, y)
