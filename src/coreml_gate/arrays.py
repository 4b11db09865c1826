"""Arrays whose element type is known only when a program runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_BLOCK: Final = 2**18
"""Elements looked at at a time: what is computed of them stays in the processor's cache."""
_MAGNITUDE: Final = np.uint16(0x7FFF)
"""Of a half's bits all but its sign: of two halves the greater magnitude has the greater bits."""
_LEAST_NORMAL_BITS: Final = np.uint16(0x0400)
"""Of 2^-14."""


def greatest_magnitude(array: Array) -> float:
    """The largest absolute value of real numbers, NaN where one is; no copy of the array is made."""
    least, greatest = float(array.min()), float(array.max())
    return max(-least, greatest)


def share_of_subnormals(halves: NDArray[np.float16]) -> float:
    """How many of the elements lie between 0 and 2^-14, the smallest normal half: a share of all."""
    bits = halves.reshape(-1).view(np.uint16)
    found = sum(_subnormals(bits[start : start + _BLOCK]) for start in range(0, bits.size, _BLOCK))
    return found / bits.size if bits.size else 0.0


def _subnormals(bits: NDArray[np.uint16]) -> int:
    magnitudes = bits & _MAGNITUDE
    return int(np.count_nonzero(magnitudes)) - int(np.count_nonzero(magnitudes >= _LEAST_NORMAL_BITS))


def save_arrays(file: Path | IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write an ``.npz`` of these arrays and nothing else.

    Without ``allow_pickle=False``, which NumPy before 2.1 stores as one more array; Python objects are
    refused all the same.
    """
    pickled = [name for name, array in arrays.items() if array.dtype.hasobject]
    if pickled:
        raise ValueError(f"the array `{pickled[0]}` holds Python objects, which are not stored.")
    np.savez(file, **arrays)  # type: ignore[arg-type] # its stubs take any name for `allow_pickle`
