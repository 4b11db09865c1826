"""Compares two arrays: the errors of one output of one sample, without a judgement.

All sums are over all elements, in float64. The PSNR of coremltools divides by the first dimension only
(``compute_snr_and_psnr``, coremltools 9.0), so the same noise gives 72 dB for (1000,) and 40 dB for
(1, 1000); it cannot be compared with a fixed limit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from coreml_gate.arrays import Array
from coreml_gate.record import Comparison, ElementIndex, NonFinite, Side, TopOne

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Figures = dict[str, Any]
"""Fields of a :class:`Comparison`."""

_GREATEST: Final = float(np.finfo(np.float64).max)
"""Replaces figures that overflow even in float64, because a Record has finite numbers only."""

_MOST_TOP_ONE_DIMENSIONS: Final = 3
"""(batch, position, class) at most: the last axis of four dimensions is the width of an image."""


def compare(
    output: str,
    sample: int,
    reference: Array,
    candidate: Array,
    sides: tuple[Side, Side],
    floor: float = 0.0,
) -> Comparison:
    """Compare one output of one sample: shapes, then the pattern of non-finite values, then errors.

    A scalar counts as shape (1,), since Core ML has no scalars. If shapes differ, nothing else is compared,
    because reshaped arrays can match by accident. An integer or boolean reference is compared exactly,
    whatever the candidate's dtype (Core ML returns booleans as numbers).
    """
    reference, candidate = np.atleast_1d(reference), np.atleast_1d(candidate)
    identity: Figures = {
        "output": output,
        "sample": sample,
        "reference": sides[0],
        "candidate": sides[1],
        "reference_shape": reference.shape,
        "candidate_shape": candidate.shape,
        "elements": reference.size,
        "floor": floor,
    }
    if reference.shape != candidate.shape:
        return Comparison(**identity)
    if reference.dtype.kind in "US" or candidate.dtype.kind in "US":
        return Comparison(**identity, **_labels(reference, candidate))
    figures = _exact if _is_exact(reference) else _floating
    return Comparison(**identity, **figures(reference, candidate))


def compare_all(
    references: Sequence[Mapping[str, Array]],
    candidates: Sequence[Mapping[str, Array]],
    sides: tuple[Side, Side],
) -> tuple[Comparison, ...]:
    """Compare every output of every sample that both sides have."""
    return tuple(
        compare(name, index, np.asarray(reference[name]), np.asarray(candidate[name]), sides)
        for index, (reference, candidate) in enumerate(zip(references, candidates, strict=False))
        for name in candidate
        if name in reference
    )


def _labels(reference: Array, candidate: Array) -> Figures:
    """Class labels are equal or not; a label that is a number on one side is compared as text."""
    pairs = zip(map(str, reference.ravel()), map(str, candidate.ravel()), strict=True)
    different = [pair for pair in pairs if pair[0] != pair[1]]
    return {"unequal": len(different), "labels": different[0] if different else None}


def _is_exact(array: Array) -> bool:
    return array.dtype.kind in "biu"


def _exact(reference: Array, candidate: Array) -> Figures:
    """Integers and booleans: every difference counts, without rounding."""
    finite: Flags = np.isfinite(candidate)
    if _is_exact(candidate):
        error = _integer_distance(reference, candidate)
    else:
        error = _distance(_wide(reference, finite), _wide(candidate, finite))
    return {
        **_nonfinite_pattern(reference, candidate, finite),
        **_greatest_errors(reference, candidate, np.abs(_wide(reference, finite)), error),
        "unequal": np.count_nonzero(error) + np.count_nonzero(~finite),
    }


def _floating(reference: Array, candidate: Array) -> Figures:
    finite: Flags = np.isfinite(reference) & np.isfinite(candidate)
    wide_reference, wide_candidate = _wide(reference, finite), _wide(candidate, finite)
    cosine = _cosine(wide_reference, wide_candidate)
    error = _distance(wide_reference, wide_candidate)
    del wide_candidate  # outputs may be large, and float64 copies of them add up
    figures = _greatest_errors(reference, candidate, np.abs(wide_reference, out=wide_reference), error)
    return {
        **_nonfinite_pattern(reference, candidate, finite),
        **figures,
        "psnr": _psnr(error, figures["max_reference"], int(np.count_nonzero(finite))),
        "cosine": cosine,
        "top1": _top_one(reference, candidate, finite),
    }


def _wide(array: Array, finite: Flags) -> Doubles:
    """The array flat in float64, with zeros, which affect no figure, where a side is not finite."""
    wide: Doubles = array.astype(np.float64)
    wide[~finite] = 0.0
    return wide.ravel()


def _distance(reference: Doubles, candidate: Doubles) -> Doubles:
    with np.errstate(over="ignore"):
        error: Doubles = reference - candidate
    np.abs(error, out=error)
    return np.minimum(error, _GREATEST, out=error)


def _integer_distance(reference: Array, candidate: Array) -> Doubles:
    """|reference - candidate| for integers of any width; larger minus smaller is exact modulo 2^64."""
    larger = reference > candidate
    reference, candidate = reference.astype(np.uint64), candidate.astype(np.uint64)
    distance = np.where(larger, reference - candidate, candidate - reference)
    return distance.astype(np.float64).ravel()


def _nonfinite_pattern(reference: Array, candidate: Array, finite: Flags) -> Figures:
    """Count the elements that are not finite in the same way on both sides, and find the first."""
    if finite.all():
        return {}
    alike = finite | (reference == candidate) | (np.isnan(reference) & np.isnan(candidate))
    mismatches = alike.size - np.count_nonzero(alike)
    if mismatches == 0:
        return {}
    first = int(np.argmin(alike))
    return {"nonfinite_mismatches": mismatches, "nonfinite_place": _place(reference, candidate, first)}


def _greatest_errors(reference: Array, candidate: Array, magnitude: Doubles, error: Doubles) -> Figures:
    """Greatest absolute and element-wise relative error; elements with a reference of zero have no latter.

    The relative errors overwrite ``magnitude``.
    """
    if error.size == 0 or not error.any():
        return {"max_reference": float(magnitude.max(initial=0.0))}
    greatest = float(magnitude.max())
    with np.errstate(over="ignore"):
        relative = np.divide(error, magnitude, out=magnitude, where=magnitude > 0)
    most, most_relative = int(error.argmax()), int(relative.argmax())
    figures: Figures = {
        "max_reference": greatest,
        "max_abs_error": float(error[most]),
        "max_abs_place": _place(reference, candidate, most),
    }
    if relative[most_relative] > 0:
        figures["max_rel_error"] = min(float(relative[most_relative]), _GREATEST)
        figures["max_rel_place"] = _place(reference, candidate, most_relative)
    return figures


def _place(reference: Array, candidate: Array, flat_index: int) -> ElementIndex:
    index = np.unravel_index(flat_index, reference.shape)
    return ElementIndex(
        index=tuple(int(coordinate) for coordinate in index),
        reference=number_of(reference[index]),
        candidate=number_of(candidate[index]),
    )


def number_of(element: Any) -> float | NonFinite:  # noqa: ANN401 - a scalar of numpy or torch
    """An element for a Record, which holds only finite numbers."""
    number = float(element)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+inf" if number > 0 else "-inf"
    return number


def _psnr(error: Doubles, peak: float, elements: int) -> float | None:
    """20 log10(peak / RMS error), with the error scaled by its greatest element: no square overflows."""
    greatest = float(error.max(initial=0.0))
    if greatest == 0:
        return None
    scaled = error / greatest
    rms = math.sqrt(float(scaled @ scaled) / elements)
    return 20 * (math.log10(peak if peak > 0 else 1.0) - math.log10(greatest) - math.log10(rms))


def _cosine(reference: Doubles, candidate: Doubles) -> float | None:
    greatest = [float(np.abs(side).max(initial=0.0)) for side in (reference, candidate)]
    if 0.0 in greatest:
        return None
    reference, candidate = reference / greatest[0], candidate / greatest[1]
    norms = float(np.linalg.norm(reference)) * float(np.linalg.norm(candidate))
    return min(1.0, max(-1.0, float(reference @ candidate) / norms))


def _top_one(reference: Array, candidate: Array, finite: Flags) -> TopOne | None:
    """Whether the best class of each row stays the best; a tie on the candidate's side still agrees.

    Only elements that are finite on both sides count, so that scores masked with -inf can be ranked.
    """
    if reference.ndim > _MOST_TOP_ONE_DIMENSIONS or reference.shape[-1] < 2:  # noqa: PLR2004 - two classes
        return None
    ranked = np.flatnonzero(np.count_nonzero(finite, axis=-1) >= 2)  # noqa: PLR2004 - two classes
    if ranked.size == 0:
        return None
    rows = (-1, reference.shape[-1])
    reference, candidate, finite = reference.reshape(rows), candidate.reshape(rows), finite.reshape(rows)
    gaps = _gaps(reference, finite)[ranked]
    differs = ~_best_stays(reference, candidate, finite)[ranked]
    if not differs.any():
        return TopOne(rows=ranked.size, disagreements=0, least_gap=float(gaps.min()))
    worst = int(np.where(differs, gaps, -1.0).argmax())
    return TopOne(
        rows=ranked.size,
        disagreements=int(np.count_nonzero(differs)),
        least_gap=float(gaps.min()),
        worst_gap=float(gaps[worst]),
        row=int(ranked[worst]),
    )


def _gaps(scores: Array, finite: Flags) -> Doubles:
    """(best - second best) / (best - least) of each row; 0 for a tie and for a row without range."""
    two_best = np.partition(np.where(finite, scores, -np.inf), -2, axis=-1)[:, -2:]
    least = np.min(scores, axis=-1, where=finite, initial=np.inf)
    halves = [side.astype(np.float64) / 2 for side in (two_best[:, 1], two_best[:, 0], least)]
    with np.errstate(invalid="ignore", over="ignore"):
        lead, span = halves[0] - halves[1], halves[0] - halves[2]
    return np.divide(lead, span, out=np.zeros_like(lead), where=span > 0)


def _best_stays(reference: Array, candidate: Array, finite: Flags) -> Flags:
    best = np.where(finite, reference, -np.inf).argmax(axis=-1)
    greatest = np.max(candidate, axis=-1, where=finite, initial=-np.inf)
    stays: Flags = np.take_along_axis(candidate, best[:, np.newaxis], axis=-1)[:, 0] == greatest
    return stays


def comparisons(
    reference: Mapping[str, Array],
    candidate: Mapping[str, Array],
    index: int,
    floors: Mapping[str, float] | None = None,
) -> tuple[Comparison, ...]:
    """Compare source and float32 package by output; ``floors`` are the noise floors of the source."""
    known = floors or {}
    pairs = zip(reference, candidate.values(), strict=True)
    return tuple(
        compare(name, index, reference[name], array, ("source", "fp32"), known.get(name, 0.0))
        for name, array in pairs
    )
