"""Elementwise operations of two operands, with broadcasting."""

import torch
from torch import Tensor

from coreml_gate.runtime.registry import EXACT, ROUND, operation


@operation(ROUND, native=True)
def add(x: Tensor, y: Tensor) -> Tensor:
    return x + y


@operation(EXACT)
def equal(x: Tensor, y: Tensor) -> Tensor:
    return x == y


@operation(ROUND)
def floor_div(x: Tensor, y: Tensor) -> Tensor:
    return torch.floor_divide(x, y)


@operation(EXACT)
def greater(x: Tensor, y: Tensor) -> Tensor:
    return x > y


@operation(EXACT)
def greater_equal(x: Tensor, y: Tensor) -> Tensor:
    return x >= y


@operation(EXACT)
def less(x: Tensor, y: Tensor) -> Tensor:
    return x < y


@operation(EXACT)
def less_equal(x: Tensor, y: Tensor) -> Tensor:
    return x <= y


@operation(EXACT)
def logical_and(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_and(x, y)


@operation(EXACT)
def logical_or(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_or(x, y)


@operation(EXACT)
def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_xor(x, y)


@operation(EXACT)
def maximum(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x, y)


@operation(EXACT)
def minimum(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(x, y)


@operation(ROUND)
def mod(x: Tensor, y: Tensor) -> Tensor:
    """The sign of the result follows ``y``."""
    return torch.remainder(x, y)


@operation(ROUND, native=True)
def mul(x: Tensor, y: Tensor) -> Tensor:
    return x * y


@operation(EXACT)
def not_equal(x: Tensor, y: Tensor) -> Tensor:
    return x != y


@operation(ROUND)
def pow(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y)


@operation(ROUND, native=True)
def real_div(x: Tensor, y: Tensor) -> Tensor:
    """Of integers the quotient toward zero, as the declared result is an integer again."""
    return x / y if x.is_floating_point() or y.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


@operation(ROUND, native=True)
def sub(x: Tensor, y: Tensor) -> Tensor:
    return x - y
