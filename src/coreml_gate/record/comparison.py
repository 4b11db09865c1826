"""Two sides compared, metrics, and how far an output varies, as a Record holds them."""

import math
import sys
from typing import Final, Literal

from pydantic import NonNegativeFloat, NonNegativeInt
from pydantic.dataclasses import dataclass

from coreml_gate.record.base import FORM, Measured, Side

NonFinite = Literal["NaN", "+inf", "-inf"]
"""What JSON has no number for, by name: an overflow, a mask and an undefined result differ in their cure."""
FLOOR_TIMES: Final = 4.0
"""Two executions in float32 may each be off by the floor, to either side, and on other samples by more."""
_FLOAT32_BITS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True, config=FORM)
class ElementIndex:
    """Where two arrays differ, with both values there."""

    index: tuple[NonNegativeInt, ...]
    reference: float | NonFinite
    candidate: float | NonFinite


@dataclass(frozen=True, slots=True, kw_only=True, config=FORM)
class TopOne:
    """Whether the best score of each row (last axis) stays the best; gaps are shares of the row's range."""

    rows: NonNegativeInt
    disagreements: NonNegativeInt
    least_gap: NonNegativeFloat
    """The smallest gap between the reference's two best scores over all rows: tiny means a near-tie."""
    worst_gap: NonNegativeFloat = 0.0
    """The largest reference gap among the rows that disagree; 0 when none does."""
    row: NonNegativeInt | None = None
    """The row of ``worst_gap``."""


@dataclass(frozen=True, slots=True, kw_only=True, config=FORM)
class Comparison:
    """One output of one sample, as two sides computed it; with slots, since a Record holds thousands.

    The figures are in the order in which they are judged: shapes, then the non-finite pattern, then errors
    over the elements that are finite on both sides.
    """

    output: str
    sample: NonNegativeInt
    reference: Side
    candidate: Side
    reference_shape: tuple[NonNegativeInt, ...]
    candidate_shape: tuple[NonNegativeInt, ...]
    elements: NonNegativeInt
    unequal: NonNegativeInt | None = None
    """Elements of an integer or boolean output that differ at all; ``None`` for floating point. Such outputs
    are class numbers, indices and flags: they have no psnr, cosine or top1, and no error is a small one."""
    labels: tuple[str, str] | None = None
    """The first label of a class that differs, on both sides; of outputs that are text."""
    nonfinite_mismatches: NonNegativeInt = 0
    """Elements that are NaN or infinite on one side only, or in different ways."""
    nonfinite_place: ElementIndex | None = None
    max_reference: NonNegativeFloat = 0.0
    """Greatest finite absolute reference value: the scale of all relative figures."""
    max_abs_error: NonNegativeFloat = 0.0
    max_abs_place: ElementIndex | None = None
    max_rel_error: NonNegativeFloat = 0.0
    """Greatest element-wise relative error; near zero it is cancellation, so it is shown and never judged."""
    max_rel_place: ElementIndex | None = None
    psnr: float | None = None
    """In dB over all elements with peak = max |reference| (1 where the reference is all zeros); ``None`` when
    both sides are equal."""
    cosine: float | None = None
    """``None`` when a side is all zeros."""
    top1: TopOne | None = None
    floor: NonNegativeFloat = 0.0
    """The noise floor: how far the source in float32 is from itself in float64; 0 where it is not known."""

    @property
    def same_shape(self) -> bool:
        """Whether the two sides can be compared at all."""
        return self.reference_shape == self.candidate_shape

    @property
    def is_noise(self) -> bool:
        """Whether the reference is zero but for rounding: its values are neither an answer nor a scale."""
        return self.floor > 0 and self.max_reference <= FLOOR_TIMES * self.floor

    @property
    def is_within_floor(self) -> bool:
        """Whether the source's own rounding in float32 explains the difference."""
        return self.floor > 0 and self.max_abs_error <= FLOOR_TIMES * self.floor

    @property
    def scale(self) -> float:
        """What errors are shares of: the greatest reference value, or 1 where the reference is all zeros.

        An output that is zero but for rounding is compared with what flows into it: float32 rounds that by
        2**-24, which is what is left of it.
        """
        if self.is_noise:
            return self.floor * 2**_FLOAT32_BITS
        return self.max_reference if self.max_reference > 0 else 1.0

    @property
    def relative_error(self) -> float:
        """``max_abs_error`` as a share of :attr:`scale`."""
        return min(self.max_abs_error / self.scale, sys.float_info.max)

    @property
    def decibels(self) -> float | None:
        """``psnr`` with :attr:`scale` as the peak."""
        if self.psnr is None or not self.is_noise:
            return self.psnr
        return self.psnr + 20 * math.log10(self.scale / (self.max_reference or 1.0))


class MetricValue(Measured):
    """One number of the user's ``evaluate``, by the side that predicted."""

    name: str
    side: Side
    value: float


class RefusedShape(Measured):
    """A shape that the configuration allows, and that a side does not take."""

    shape: str
    """The flexible inputs in words: ``x (1, 4, 64)``."""
    by: Literal["source", "package", "both"]
    message: str
    operation: str = ""
    """The operation of the package that refuses; empty where it is not known."""
    place: str = ""
    """``models/net.py:12``, where that operation was written; empty where it is not known."""
    hint: str = ""
    """The way out that the refusal itself names."""


class NoiseFloor(Measured):
    """How far an output of the source in float32 is from the same in float64, over a few samples."""

    output: str
    error: NonNegativeFloat


class OutputSensitivity(Measured):
    """How much an output varies over the samples: RMS deviation from the mean sample, by RMS of all values.

    Below about 0.1 the output hardly depends on the input, and a good figure means nothing.
    """

    output: str
    value: NonNegativeFloat
