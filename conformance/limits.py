"""How far a prediction may be from what a test of coremltools expects.

coremltools allows half precision 0.5 absolute and 5 % relative (``compare_backend`` in its
``converters/mil/testing_utils.py``), which also passes wrong formulas: a bilinear upsampling that was
off by 0.33 went through. Here every comparison after a prediction is held to one limit on
|difference| / max(|expected|, 1).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

HALF = 4e-3
"""For programs that hold half precision: four times the spacing of float16 at 1, for short chains."""
SINGLE = 1e-4

Compare = Callable[..., None]


class LimitError(Exception):
    """A prediction lies beyond the limit; not an AssertionError, which ``compare_backend`` may swallow."""


def greatest_error(actual: ArrayLike, expected: ArrayLike) -> float:
    """The greatest |difference| / max(|expected|, 1); infinite where one alone is finite or shapes differ.

    Two infinities of one sign agree, and so do two NaNs.
    """
    found, wanted = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if found.shape != wanted.shape:
        try:
            found, wanted = np.broadcast_arrays(found, wanted)
        except ValueError:
            return float("inf")
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        errors = np.abs(found - wanted) / np.maximum(np.abs(wanted), 1)
    errors = np.where(np.isfinite(errors), errors, np.inf)[~same]
    return float(errors.max(initial=0.0))


def check(actual: ArrayLike, expected: ArrayLike, limit: float) -> float:
    """The error, if it is within the limit.

    :raises LimitError: It is not.
    """
    error = greatest_error(actual, expected)
    if error > limit:
        raise LimitError(f"greatest error {error:.3g} of max(|expected|, 1), allowed {limit:g}")
    return error


def strict_compare(
    original: Compare, limit: Callable[[], float | None], note: Callable[[float], None]
) -> Compare:
    """``numpy.testing.assert_allclose`` with our limit instead of the caller's, where ``limit`` gives one."""

    def assert_allclose(actual: ArrayLike, desired: ArrayLike, *args: Any, **options: Any) -> None:  # noqa: ANN401
        allowed = limit()
        if allowed is None or not _numbers(actual) or not _numbers(desired):
            original(actual, desired, *args, **options)
            return
        note(greatest_error(actual, desired))
        check(actual, desired, allowed)

    return assert_allclose


def _numbers(value: ArrayLike) -> bool:
    return np.asarray(value).dtype.kind in "biuf"
