"""How far WPT lets an implementation be from a vector (``webnn/resources/utils.js`` of web-platform-tests).

Units in the last place of the output's type, or an absolute difference where WPT has one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.wpt.vectors import Vector


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Either ``ulps`` or an absolute difference."""

    ulps: int = 0
    absolute: float = 0.0


_BY_TYPE: Final[Mapping[str, tuple[Tolerance, Tolerance]]] = {
    "add": (Tolerance(1), Tolerance(1)),
    "batchNormalization": (Tolerance(6), Tolerance(6)),
    "cast": (Tolerance(1), Tolerance(1)),
    "div": (Tolerance(2), Tolerance(2)),
    "elu": (Tolerance(18), Tolerance(18)),
    "exp": (Tolerance(32), Tolerance(1)),
    "hardSigmoid": (Tolerance(2), Tolerance(2)),
    "hardSwish": (Tolerance(4), Tolerance(4)),
    "instanceNormalization": (Tolerance(840), Tolerance(8400)),
    "leakyRelu": (Tolerance(1), Tolerance(1)),
    "linear": (Tolerance(2), Tolerance(2)),
    "log": (Tolerance(absolute=1 / 1024), Tolerance(absolute=1 / 1024)),
    "mul": (Tolerance(1), Tolerance(1)),
    "pow": (Tolerance(32), Tolerance(2)),
    "sigmoid": (Tolerance(34), Tolerance(3)),
    "sqrt": (Tolerance(1), Tolerance(1)),
    "sub": (Tolerance(1), Tolerance(1)),
    "tanh": (Tolerance(absolute=1 / 1024), Tolerance(absolute=1 / 512)),
    # WPT's figure for this one was not at hand: ours is stricter than its neighbours'.
    "layerNormalization": (Tolerance(8), Tolerance(8)),
}
"""For float32 and for float16; whatever is missing here and below is exact."""

_REDUCTIONS: Final[Mapping[str, tuple[int, int]]] = {
    "reduceL1": (1, 0),
    "reduceL2": (2, 2),
    "reduceLogSum": (1, 18),
    "reduceLogSumExp": (2, 18),
    "reduceMean": (1, 2),
    "reduceProduct": (1, 0),
    "reduceSum": (1, 0),
    "reduceSumSquare": (2, 0),
}
"""Factor and summand of the number of elements that are reduced to one."""


def tolerance(vector: Vector) -> Tolerance:
    """What WPT allows for this vector."""
    operator = vector.operator
    if operator in _REDUCTIONS:
        factor, summand = _REDUCTIONS[operator]
        return Tolerance(factor * _reduced(vector) + summand)
    if operator in {"conv2d", "convTranspose2d"}:
        return Tolerance(2 * _products(vector))
    if operator == "matmul":
        return Tolerance(2 * vector.inputs[vector.arguments["a"]].shape[-1])
    if operator == "softmax":
        x = vector.inputs[vector.arguments["input"]]
        return Tolerance(3 * x.shape[vector.arguments["axis"]] + 3)
    if operator not in _BY_TYPE:
        return Tolerance()
    return _BY_TYPE[operator][next(iter(vector.expected.values())).dtype == np.float16]


def _reduced(vector: Vector) -> int:
    shape = vector.inputs[vector.arguments["input"]].shape
    axes = vector.options.get("axes")
    return math.prod(shape if axes is None else [shape[axis] for axis in axes])


def _products(vector: Vector) -> int:
    """Products in one element of a convolution: kernel area times the input channels of a group."""
    default = "oihw" if vector.operator == "conv2d" else "iohw"
    layout = vector.options.get("filterLayout", default)
    sizes = dict(zip(layout, vector.inputs[vector.arguments["filter"]].shape, strict=True))
    channels = sizes["i"] if vector.operator == "conv2d" else sizes["i"] // vector.options.get("groups", 1)
    return sizes["h"] * sizes["w"] * channels


def ulps(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest distance in representable numbers of the type; integers by their difference."""
    if not expected.size:
        return 0.0
    if expected.dtype.kind != "f":
        return float(np.abs(found.astype(np.int64) - expected.astype(np.int64)).max())
    both_nan = np.isnan(found) & np.isnan(expected)
    apart = np.where(both_nan, 0, np.abs(_order(found) - _order(expected)))
    return float(apart.max())


def _order(values: NDArray[Any]) -> NDArray[np.int64]:
    """Integers that count up as the floats do."""
    width = {2: np.int16, 4: np.int32}[values.dtype.itemsize]
    bits = np.ascontiguousarray(values).view(width).astype(np.int64)
    return np.where(bits < 0, -(bits & (2 ** (8 * values.dtype.itemsize - 1) - 1)), bits)
