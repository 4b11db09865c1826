"""Elementwise operations of one operand."""

import torch
from torch import Tensor

from coreml_gate.runtime.ops.integers import to_int32
from coreml_gate.runtime.ops.neural_engine import LOGARITHM_OF_ZERO, engine_half, flushed
from coreml_gate.runtime.registry import EXACT, ROUND, operation

_UINT16 = 0xFFFF
_FLOATS = frozenset({"fp16", "fp32"})
_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16", "int32"})
_CASTS = {
    "bool": torch.bool,
    "fp64": torch.float64,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.int32,
    "int32": torch.int32,
    "uint32": torch.int64,
    "int64": torch.int64,
}


@operation(EXACT)
def abs(x: Tensor) -> Tensor:
    """Integers pass through float32 (abs_gpu in Chromium's baselines of macOS 15, arm64)."""
    return x.abs() if x.is_floating_point() else to_int32(x.float().abs())


@operation(ROUND, native=True)
def acos(x: Tensor) -> Tensor:
    return x.acos()


@operation(ROUND, native=True)
def asin(x: Tensor) -> Tensor:
    return x.asin()


@operation(ROUND, native=True)
def atan(x: Tensor) -> Tensor:
    return x.atan()


@operation(ROUND, native=True)
def atanh(x: Tensor) -> Tensor:
    return x.atanh()


@operation(ROUND, native=True)
def cast(x: Tensor, dtype: str) -> Tensor:
    """Floats are truncated to integers; a cast to half precision is rounded by the declared output type.

    Values outside int32 are clamped; to 16 bits integers wrap (-12 is 65524 as uint16:
    apple/coremltools#2626).
    """
    if x.is_floating_point() and dtype in _INTEGERS:
        x = to_int32(x)
    if dtype == "uint16":
        return x.long().bitwise_and(_UINT16).int()
    if dtype in _FLOATS:
        return x if x.is_floating_point() else x.float()
    return x.to(_CASTS[dtype])


@operation(EXACT)
def ceil(x: Tensor) -> Tensor:
    return x.ceil()


@operation(EXACT)
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    return x.clamp(alpha, beta)


@operation(ROUND, native=True)
def cos(x: Tensor) -> Tensor:
    return x.cos()


@operation(ROUND, native=True)
def cosh(x: Tensor) -> Tensor:
    return x.cosh()


@operation(ROUND)
def erf(x: Tensor) -> Tensor:
    return x.erf()


@operation(ROUND, native=True)
def exp(x: Tensor) -> Tensor:
    return x.exp()


@operation(ROUND, native=True)
def exp2(x: Tensor) -> Tensor:
    return x.exp2()


@operation(EXACT)
def floor(x: Tensor) -> Tensor:
    return x.floor()


@operation(ROUND, native=True)
def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    """Core ML's CPU approximates the inverse of a half to 8 bits (reciprocal_cpu in Chromium's baselines of
    macOS 14, arm64: 0.216796875 for 1 / 4.62109375, the result of the processor's FRECPE).
    """
    shifted = x + epsilon
    return half_inverse(shifted) if shifted.dtype is torch.float16 else 1 / shifted


def half_inverse(x: Tensor) -> Tensor:
    """FRECPE of halves: the inverse by a table of 256 entries (Arm ARM, ``RecipEstimate``)."""
    wide = x.double()
    fraction, exponent = torch.frexp(wide.abs())
    place = (fraction * 512).floor() * 2 + 1
    estimate = ((2**19 / place).floor() + 1).div(2).floor() / 256
    inverse = torch.copysign(torch.ldexp(estimate, -exponent), wide)
    return torch.where(wide.isfinite() & (wide != 0), inverse, 1 / wide).to(x.dtype)


def _engine_log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    shifted = flushed(x + epsilon)
    return torch.where(shifted == 0, LOGARITHM_OF_ZERO, shifted.log())


@operation(ROUND, neural_engine=_engine_log)
def log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    return (x + epsilon).log()


@operation(EXACT)
def logical_not(x: Tensor) -> Tensor:
    return x.logical_not()


def _engine_round(x: Tensor) -> Tensor:
    """Ties round away from zero; from 1024 on, where adding 0.5 is itself a tie, the result is 1 too large
    (sbryngelson/ANEForge#116).
    """
    return engine_half((x.float().abs() + 0.5).copysign(x)).trunc()


@operation(EXACT, neural_engine=_engine_round)
def round(x: Tensor) -> Tensor:
    return x.round()


@operation(ROUND)
def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    return (x + epsilon).rsqrt()


@operation(EXACT)
def sign(x: Tensor) -> Tensor:
    return x.sign()


@operation(ROUND, native=True)
def sin(x: Tensor) -> Tensor:
    return x.sin()


@operation(ROUND, native=True)
def sinh(x: Tensor) -> Tensor:
    return x.sinh()


@operation(ROUND, native=True)
def sqrt(x: Tensor) -> Tensor:
    return x.sqrt()


@operation(ROUND, native=True)
def square(x: Tensor) -> Tensor:
    return x * x


@operation(ROUND, native=True)
def tan(x: Tensor) -> Tensor:
    return x.tan()


@operation(ROUND, native=True)
def tanh(x: Tensor) -> Tensor:
    return x.tanh()


@operation(EXACT)
def threshold(x: Tensor, alpha: float) -> Tensor:
    return x.clamp(min=alpha)
