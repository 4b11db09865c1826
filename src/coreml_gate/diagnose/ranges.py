"""Running statistics of a float32 run: the range of each operation's result."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor
from typing_extensions import TypeIs

from coreml_gate.arrays import Array
from coreml_gate.mil.ir import Operation
from coreml_gate.runtime.ops import find
from coreml_gate.runtime.registry import EXACT
from coreml_gate.untyped import MilValue

_OPSET: Final = 18


def _terms(inputs: Mapping[str, MilValue], result: Tensor) -> int:
    """The number of terms summed for one element of the result."""
    return int(inputs["x"].numel() // max(result.numel(), 1))


_NARROW_SUMS: Final = frozenset({"reduce_l1_norm", "reduce_sum", "reduce_sum_square"})
"""Sums that the Neural Engine accumulates in FP16; products, convolutions and means accumulate wide
(sbryngelson/ANEForge docs/developer/numerics.md).
"""


@dataclass(frozen=True)
class Range:
    """Least and greatest finite value, and the number of terms of a sum with FP16 accumulators (else 0)."""

    least: float
    greatest: float
    terms: int = 0

    @property
    def magnitude(self) -> float:
        """The greatest absolute value."""
        return max(abs(self.least), abs(self.greatest))

    @property
    def smallest(self) -> float:
        """The least absolute value if all values have one sign, else 0."""
        return max(0.0, self.least, -self.greatest)

    def joined(self, other: "Range | None") -> "Range":
        """The union of both ranges."""
        if other is None:
            return self
        return Range(
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            max(self.terms, other.terms),
        )


@dataclass
class Ranges:
    """Collects a :class:`Range` per operation over all samples; pass :meth:`observe` to ``predict``.

    Operations that only move values stay within their operands' ranges and are skipped, so the overhead is
    one pass over each computed result.
    """

    of: dict[str, Range] = field(default_factory=dict)

    def observe(
        self, operation: Operation, inputs: Mapping[str, MilValue], outputs: tuple[MilValue, ...]
    ) -> None:
        """Add one operation of the run."""
        known = find(operation.type, _OPSET)
        result = outputs[0] if outputs else None
        if known is None or known.rounding is EXACT or not _has_floats(result):
            return
        least, greatest = _extremes(result)
        terms = _terms(inputs, result) if operation.type in _NARROW_SUMS else 0
        found = Range(least, greatest, terms)
        self.of[operation.name] = found.joined(self.of.get(operation.name))

    def observe_inputs(self, inputs: Mapping[str, Array]) -> None:
        """Add one sample, without images and integers."""
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
