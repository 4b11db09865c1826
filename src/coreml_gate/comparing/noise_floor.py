"""The noise floor: the distance between an output of the source in float32 and in float64.

Nothing below it is a fault. A float64 run that computes something else is no floor: branches may depend on
the type, and a source that draws random numbers would excuse everything.
"""

from typing import Final

import numpy as np

from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.in_double import greatest_given, sample_in_double
from coreml_gate.engines.torch_source import SourceEngine

MOST: Final = 1e-3
"""Greatest floor as a share of the greatest value; more is not rounding but another result."""
_SINGLE: Final = 2.0**-24
_DOUBLE: Final = 2.0**-53
LITTLE: Final = 2.0**-20
"""As a share of the greatest value: the change by threads that add in another order."""
MOST_ROUNDINGS: Final = 256
MOST_OF_GIVEN: Final = MOST_ROUNDINGS * _SINGLE
"""As a share of the greatest input or weight: what 256 roundings leave of values that cancel."""


def noise_floors(
    engine: SourceEngine, wide: SourceEngine, sample: Sample, reference: Outputs
) -> dict[str, float]:
    """The floor of each floating-point output of one sample; none if float64 gives another result.

    :param wide: The same source in float64.
    :raises SourceError: The source cannot run in float64.
    """
    precise = wide.run(sample_in_double(sample))
    given = greatest_given(engine, sample)
    floors = ((name, _floor(array, precise[name], given)) for name, array in reference.items())
    return {name: floor for name, floor in floors if floor is not None}


def is_steady(once: np.ndarray, again: np.ndarray) -> bool:
    """Whether an output of two runs on one sample is the same except for the order of sums."""
    if once.shape != again.shape or not np.array_equal(np.isfinite(once), np.isfinite(again)):
        return False
    kept = np.isfinite(once)
    change = np.abs(once[kept].astype(float) - again[kept].astype(float)).max(initial=0.0)
    return bool(change <= LITTLE * np.abs(once[kept].astype(float)).max(initial=0.0))


def _floor(single: np.ndarray, double: np.ndarray, greatest_given: float) -> float | None:
    if single.dtype.kind != "f" or single.shape != double.shape:
        return None
    kept = np.isfinite(single)
    if not np.array_equal(kept, np.isfinite(double)):
        return None
    error = float(np.abs(single[kept].astype(float) - double[kept].astype(float)).max(initial=0.0))
    greatest = float(np.abs(double[kept]).max(initial=0.0))
    if greatest <= MOST_ROUNDINGS * _DOUBLE * greatest_given:
        # Zero in float64 but for its own rounding: that the source in float32 is exactly zero is luck.
        error = max(error, _SINGLE * greatest_given)
    return error if error <= max(MOST * greatest, MOST_OF_GIVEN * greatest_given) else None
