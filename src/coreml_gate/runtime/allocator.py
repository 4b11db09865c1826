"""Keeps freed activations in the process, to avoid page faults in every run.

By default glibc returns freed blocks to the kernel once a few megabytes are free, and a run of a network
frees and allocates such blocks all the time: page faults were 17 to 30 % of its CPU time (one thread;
EfficientNet-B0, a U-Net, a vision transformer). ONNX Runtime keeps an arena for the same reason.
"""

import ctypes
import sys
from functools import cache
from typing import Final

_MIB: Final = 2**20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LARGEST_KEPT: Final = 32 * _MIB
"""Larger blocks are returned at once; glibc itself allows no larger bound."""
MOST_FREE: Final = 128 * _MIB
"""Bytes that may stay free at the end of the heap."""
WORTH_IT: Final = 256 * _MIB
"""Free bytes anywhere in the heap from which on they are returned."""


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep freed memory, within the two bounds; ``False`` without glibc.

    This affects the whole process, so it is for processes whose work is to run models.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT) and mallopt(_M_TRIM_THRESHOLD, MOST_FREE))


class _Heap(ctypes.Structure):
    """``mallinfo2`` of glibc's malloc.h, in bytes and blocks."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def give_back() -> None:
    """Return free memory between used blocks, after a phase that held far more than the next one.

    glibc itself returns only the end of the heap. Less than ``WORTH_IT`` is kept, because allocating it again
    costs page faults, which small models would pay after each phase.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not (hasattr(library, "malloc_trim") and hasattr(library, "mallinfo2")):  # not glibc 2.33 or later
        return
    library.mallinfo2.restype = _Heap
    if library.mallinfo2().fordblks >= WORTH_IT:
        library.malloc_trim(0)
