"""Arrays whose element type is known only when a program runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def save_arrays(file: Path | IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write an ``.npz`` of these arrays and nothing else.

    Without ``allow_pickle=False``, which NumPy before 2.1 stores as one more array; Python objects are
    refused all the same.
    """
    pickled = [name for name, array in arrays.items() if array.dtype.hasobject]
    if pickled:
        raise ValueError(f"the array `{pickled[0]}` holds Python objects, which are not stored.")
    np.savez(file, **arrays)  # type: ignore[arg-type] # its stubs take any name for `allow_pickle`
