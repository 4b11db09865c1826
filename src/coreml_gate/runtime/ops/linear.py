"""Matrix products."""

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.registry import ROUND, Tensors, operation

_MATRIX = 2


@operation(ROUND, products=True)
def einsum(values: Tensors, equation: str) -> Tensor:
    return torch.einsum(equation, *values)


@operation(ROUND, products=True)
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Constants may have another type than ``x`` (iOS 17), whose type the result takes."""
    if x.dtype is weight.dtype:
        return functional.linear(x, weight, bias)
    wide = torch.promote_types(x.dtype, weight.dtype)
    return functional.linear(x.to(wide), weight.to(wide), None if bias is None else bias.to(wide)).to(x.dtype)


@operation(ROUND, products=True, cuts=True)
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """One operand may be a constant of another type (iOS 17); the result is declared in the other's type.

    So integers times float constants give integers. Their rounding is not documented; here they are truncated
    once, after the sum, as in ``linear`` and ``cast``.
    """
    if x.dtype is y.dtype:
        return torch.matmul(*_turned(x, y, transpose_x, transpose_y))
    wide = torch.promote_types(x.dtype, y.dtype)
    return torch.matmul(*_turned(x.to(wide), y.to(wide), transpose_x, transpose_y))


def _turned(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> tuple[Tensor, Tensor]:
    return (
        x.transpose(-1, -2) if transpose_x and x.ndim >= _MATRIX else x,
        y.transpose(-1, -2) if transpose_y and y.ndim >= _MATRIX else y,
    )
