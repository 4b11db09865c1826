"""The distance between two halves, in representable halves."""

import numpy as np
from numpy.typing import NDArray


def ulps(first: NDArray[np.float16], second: NDArray[np.float16]) -> NDArray[np.int32]:
    """Representable halves between two arrays; two NaNs are equal."""

    def order(values: NDArray[np.float16]) -> NDArray[np.int32]:
        bits = values.view(np.int16).astype(np.int32)
        return np.where(bits < 0, -(bits & 0x7FFF), bits)

    both_nan = np.isnan(first) & np.isnan(second)
    return np.where(both_nan, 0, np.abs(order(first) - order(second)))
