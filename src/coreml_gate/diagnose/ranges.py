"""Running statistics of one float32 run: how great does each operation's result get?"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import TypeIs

from coreml_gate.mil.ir import Operation
from coreml_gate.runtime.ops import find
from coreml_gate.runtime.registry import EXACT

_MEANS: Final = frozenset({"reduce_mean", "avg_pool"})
_OPSET: Final = 18


def _axes_terms(inputs: Mapping[str, Any], _: Tensor) -> int:
    x, axes = inputs["x"], inputs.get("axes")
    return math.prod(x.shape[int(axis)] for axis in axes) if axes is not None else x.numel()


def _shrunk_terms(inputs: Mapping[str, Any], result: Tensor) -> int:
    return int(inputs["x"].numel() // max(result.numel(), 1))


_TERMS: Final[Mapping[str, Callable[[Mapping[str, Any], Tensor], int]]] = {
    "linear": lambda inputs, _: int(inputs["weight"].shape[-1]),
    "conv": lambda inputs, _: int(inputs["weight"][0].numel()),
    "matmul": lambda inputs, _: int(inputs["x"].shape[-2 if inputs.get("transpose_x") else -1]),
    "layer_norm": _axes_terms,
    "instance_norm": lambda inputs, _: math.prod(inputs["x"].shape[2:]),
    "l2_norm": lambda inputs, _: math.prod(inputs["x"].shape[1:]),
    "avg_pool": _shrunk_terms,
    "reduce_mean": _shrunk_terms,
    "reduce_sum": _shrunk_terms,
    "reduce_sum_square": _shrunk_terms,
    "reduce_l1_norm": _shrunk_terms,
    "reduce_l2_norm": _shrunk_terms,
}
"""How many terms one element of the result is the sum of."""


@dataclass(frozen=True)
class Range:
    """Least and greatest finite value, the greatest sum behind a mean, the terms of a sum; 0: it is none."""

    least: float
    greatest: float
    summed: float = 0.0
    terms: int = 0

    @property
    def magnitude(self) -> float:
        """The greatest absolute value."""
        return max(abs(self.least), abs(self.greatest))

    @property
    def smallest(self) -> float:
        """The least absolute value, where all values have one sign; 0 otherwise."""
        return max(0.0, self.least, -self.greatest)

    def joined(self, other: "Range | None") -> "Range":
        """The range of both."""
        if other is None:
            return self
        return Range(
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            max(self.summed, other.summed),
            max(self.terms, other.terms),
        )


@dataclass
class Ranges:
    """Collects a :class:`Range` per operation over all samples; give :meth:`observe` to ``predict``.

    Operations that only move values stay within their operands' ranges and are left out, which keeps the
    overhead to one pass over each computed result.
    """

    of: dict[str, Range] = field(default_factory=dict)

    def observe(self, operation: Operation, inputs: Mapping[str, Any], outputs: tuple[Any, ...]) -> None:
        """Take in one operation of the run."""
        known = find(operation.type, _OPSET)
        result = outputs[0] if outputs else None
        if known is None or known.rounding is EXACT or not _has_floats(result):
            return
        least, greatest = _extremes(result)
        terms = _TERMS[operation.type](inputs, result) if operation.type in _TERMS else 0
        summed = max(abs(least), abs(greatest)) * terms if operation.type in _MEANS else 0.0
        found = Range(least, greatest, summed, terms)
        self.of[operation.name] = found.joined(self.of.get(operation.name))

    def observe_inputs(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """Take in one sample; images and integers are no floats."""
        for name, array in inputs.items():
            value = torch.from_numpy(np.ascontiguousarray(array))
            if _has_floats(value):
                self.of[name] = Range(*_extremes(value)).joined(self.of.get(name))


def _has_floats(value: object) -> TypeIs[Tensor]:
    return isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 0


def _extremes(value: Tensor) -> tuple[float, float]:
    least, greatest = (float(item) for item in torch.aminmax(value))
    if math.isfinite(least) and math.isfinite(greatest):
        return least, greatest
    finite = value[value.isfinite()]
    return _extremes(finite) if finite.numel() else (0.0, 0.0)
