"""Affine quantization of activations."""

from torch import Tensor

from coreml_gate.runtime.ops.integers import to_int32
from coreml_gate.runtime.registry import ROUND, operation

_RANGE = {"int8": (-128, 127), "uint8": (0, 255)}


def _along(values: Tensor, x: Tensor, axis: int | None) -> Tensor:
    if values.ndim == 0 or axis is None:
        return values
    return values.reshape(tuple(-1 if place == axis % x.ndim else 1 for place in range(x.ndim)))


@operation(ROUND)
def dequantize_ios17(
    input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: int | None = None
) -> Tensor:
    wide = input.float()
    shifted = wide if zero_point is None else wide - _along(zero_point, input, axis).float()
    return shifted * _along(scale, input, axis)


@operation(ROUND)
def quantize_ios17(
    input: Tensor, scale: Tensor, output_dtype: str, zero_point: Tensor | None = None, axis: int | None = None
) -> Tensor:
    steps = (input / _along(scale, input, axis)).round()
    shifted = steps if zero_point is None else steps + _along(zero_point, input, axis).float()
    return to_int32(shifted.clamp(*_RANGE[output_dtype]))
