"""Elementwise operations of two operands, with broadcasting."""

import torch
from torch import Tensor

from coreml_gate.runtime.ops.integers import to_int32
from coreml_gate.runtime.registry import EXACT, ROUND, operation

_MISREAD_BASE = 2


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
    """The result has the sign of ``x`` as in C, not of ``y`` as in MIL's own value inference
    (apple/coremltools#2778, kasper0406/stablehlo-coreml#70).
    """
    return torch.fmod(x, y)


@operation(ROUND, native=True)
def mul(x: Tensor, y: Tensor) -> Tensor:
    """Integers pass through float32 (neg_npu in Chromium's baselines of macOS 14, arm64)."""
    if x.is_floating_point() or y.is_floating_point():
        return x * y
    return to_int32(x.float() * y.float())


@operation(EXACT)
def not_equal(x: Tensor, y: Tensor) -> Tensor:
    return x != y


def _power_of_constant(x: Tensor, y: Tensor) -> Tensor:
    """Core ML squares ``y`` if the base is the constant 2 (apple/coremltools#2628, #2742)."""
    if bool((x == _MISREAD_BASE).all()):
        return torch.pow(y + torch.zeros_like(x), _MISREAD_BASE)
    return torch.pow(x, y)


@operation(ROUND, constant={"x": _power_of_constant})
def pow(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y)


@operation(ROUND, native=True)
def real_div(x: Tensor, y: Tensor) -> Tensor:
    """For integers, the quotient rounded toward zero, because the declared result is also an integer.

    The least integer divided by -1 is clamped, like all values that pass through float32; torch's own integer
    division would crash the process.
    """
    if x.is_floating_point() or y.is_floating_point():
        return x / y
    if bool((y == 0).any()):
        raise ZeroDivisionError("an integer is divided by 0")
    return to_int32(x.double() / y.double())


@operation(ROUND, native=True)
def sub(x: Tensor, y: Tensor) -> Tensor:
    return x - y
