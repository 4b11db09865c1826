"""Comparisons of two sides, metrics, and how much an output varies, as stored in a Record."""

import math
import sys
from typing import Final, Literal

from pydantic import NonNegativeFloat, NonNegativeInt
from pydantic.dataclasses import dataclass

from coreml_gate.record.base import FORM, Measured, Side

NonFinite = Literal["NaN", "+inf", "-inf"]
"""Names of the values that JSON lacks: overflows, masks and undefined results need different fixes."""
FLOOR_TIMES: Final = 4.0
"""Two float32 executions may each be off by the floor, in either direction, and by more on other samples."""
_FLOAT32_BITS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True, config=FORM)
class ElementIndex:
    """An element at which two arrays differ, with both values."""

    index: tuple[NonNegativeInt, ...]
    reference: float | NonFinite
    candidate: float | NonFinite


@dataclass(frozen=True, slots=True, kw_only=True, config=FORM)
class TopOne:
    """Whether the best score of each row (last axis) stays the best. Gaps are shares of the row's range."""

    rows: NonNegativeInt
    disagreements: NonNegativeInt
    least_gap: NonNegativeFloat
    """The smallest gap between the reference's two best scores over all rows; a tiny gap is a near-tie."""
    worst_gap: NonNegativeFloat = 0.0
    """The largest gap of the reference among the rows that disagree; 0 if none does."""
    row: NonNegativeInt | None = None
    """The row of ``worst_gap``."""


@dataclass(frozen=True, slots=True, kw_only=True, config=FORM)
class Comparison:
    """One output of one sample, as computed by two sides. It has slots, because a Record has thousands.

    The figures are in the order in which they are judged: shapes, the pattern of non-finite values, then
    errors over the elements that are finite on both sides.
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
    are class numbers, indices and flags: they have no psnr, cosine or top1, and no error is small."""
    labels: tuple[str, str] | None = None
    """For outputs that are text: the first label that differs, on both sides."""
    nonfinite_mismatches: NonNegativeInt = 0
    """Elements that are NaN or infinite on one side only, or not in the same way."""
    nonfinite_place: ElementIndex | None = None
    max_reference: NonNegativeFloat = 0.0
    """Greatest finite absolute reference value, the scale of all relative figures."""
    max_abs_error: NonNegativeFloat = 0.0
    max_abs_place: ElementIndex | None = None
    max_rel_error: NonNegativeFloat = 0.0
    """Greatest element-wise relative error; never judged, because near zero it measures cancellation."""
    max_rel_place: ElementIndex | None = None
    psnr: float | None = None
    """In dB over all elements with peak = max |reference| (1 if the reference is all zeros); ``None`` if both
    sides are equal."""
    cosine: float | None = None
    """``None`` if a side is all zeros."""
    top1: TopOne | None = None
    floor: NonNegativeFloat = 0.0
    """The noise floor: the distance between the source in float32 and in float64; 0 if not known."""

    @property
    def same_shape(self) -> bool:
        """Whether the two sides can be compared at all."""
        return self.reference_shape == self.candidate_shape

    @property
    def is_noise(self) -> bool:
        """Whether the reference is zero except for rounding, so that its values mean nothing."""
        return self.floor > 0 and self.max_reference <= FLOOR_TIMES * self.floor

    @property
    def is_within_floor(self) -> bool:
        """Whether the source's own rounding in float32 explains the difference."""
        return self.floor > 0 and self.max_abs_error <= FLOOR_TIMES * self.floor

    @property
    def scale(self) -> float:
        """What errors are relative to: the greatest reference value, or 1 if the reference is all zeros.

        An output that is zero except for rounding is compared with the values that cancelled in it: float32
        rounds those by 2**-24, and that is what remains.
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
    """One metric of the user's ``evaluate``, with the side that predicted."""

    name: str
    side: Side
    value: float


class RefusedShape(Measured):
    """A shape that the configuration allows but a side refuses."""

    shape: str
    """The flexible inputs: ``x (1, 4, 64)``."""
    by: Literal["source", "package", "both"]
    message: str
    operation: str = ""
    """The operation of the package that refuses it; empty if not known."""
    place: str = ""
    """The line of that operation, such as ``models/net.py:12``; empty if not known."""
    hint: str = ""
    """The fix that the error itself names."""


class NoiseFloor(Measured):
    """The distance between an output of the source in float32 and in float64, over a few samples."""

    output: str
    error: NonNegativeFloat


class OutputSensitivity(Measured):
    """How much an output varies over the samples: RMS deviation from the mean sample / RMS of all values.

    Below about 0.1, the output hardly depends on the input, and good figures mean nothing.
    """

    output: str
    value: NonNegativeFloat
