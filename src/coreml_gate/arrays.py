"""Arrays whose element type is known only when a program runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_BLOCK: Final = 2**18
"""Elements in one block, so that intermediate results stay in the processor's cache."""
_MAGNITUDE: Final = np.uint16(0x7FFF)
"""All bits of a half except its sign. As integers, these bits order halves by magnitude."""
_LEAST_NORMAL_BITS: Final = np.uint16(0x0400)
"""The bits of 2^-14, the smallest normal half."""


def greatest_magnitude(array: Array) -> float:
    """The largest absolute value, or NaN if there is one. Makes no copy of the array."""
    least, greatest = float(array.min()), float(array.max())
    return max(-least, greatest)


def share_of_subnormals(halves: NDArray[np.float16]) -> float:
    """The share of elements between 0 and 2^-14, the smallest normal half."""
    bits = halves.reshape(-1).view(np.uint16)
    found = sum(_subnormals(bits[start : start + _BLOCK]) for start in range(0, bits.size, _BLOCK))
    return found / bits.size if bits.size else 0.0


def _subnormals(bits: NDArray[np.uint16]) -> int:
    magnitudes = bits & _MAGNITUDE
    return int(np.count_nonzero(magnitudes)) - int(np.count_nonzero(magnitudes >= _LEAST_NORMAL_BITS))


def save_arrays(file: Path | IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write an ``.npz`` of these arrays; Python objects are refused.

    ``allow_pickle=False`` would do that, but NumPy before 2.1 stores it as one more array.
    """
    pickled = [name for name, array in arrays.items() if array.dtype.hasobject]
    if pickled:
        raise ValueError(f"the array `{pickled[0]}` holds Python objects, which are not stored.")
    np.savez(file, **arrays)  # type: ignore[arg-type] # its stubs take any name for `allow_pickle`
