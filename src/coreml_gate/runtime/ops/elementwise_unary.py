"""Elementwise operations of one operand."""

import torch
from torch import Tensor

from coreml_gate.runtime.registry import EXACT, ROUND, operation

_CASTS = {
    "bool": torch.bool,
    "fp16": torch.float16,
    "fp32": torch.float32,
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
    return x.abs()


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
    """Floats become integers toward zero; to half precision the declared output type rounds."""
    return x if dtype in {"fp16", "fp32"} and x.is_floating_point() else x.to(_CASTS[dtype])


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


@operation(ROUND)
def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    return 1 / (x + epsilon)


@operation(ROUND)
def log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    return (x + epsilon).log()


@operation(EXACT)
def logical_not(x: Tensor) -> Tensor:
    return x.logical_not()


@operation(EXACT)
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
