"""Freed activations stay with the process, so that a run does not pay for its memory page by page.

By default glibc hands freed blocks back to the kernel as soon as a few megabytes lie free, and a run of a
network frees and takes such blocks all the time: 17 to 30 % of its CPU time was page faults (one thread;
EfficientNet-B0, a U-Net, a vision transformer). ONNX Runtime keeps an arena for the same reason.
"""

import ctypes
import sys
from functools import cache
from typing import Final

_MIB: Final = 2**20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LARGEST_KEPT: Final = 32 * _MIB
"""Larger blocks go back at once; glibc has no larger bound of its own either."""
MOST_FREE: Final = 128 * _MIB
"""What may lie free at the end of the heap."""
WORTH_IT: Final = 256 * _MIB
"""Free bytes of the heap, wherever they lie, from which on they are handed back."""


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep what is freed, within the two bounds; ``False`` where there is no glibc.

    This holds for the whole process: it is for processes whose work is to run models.
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
    """Hand back what lies free between blocks in use, after a phase that held far more than the next one.

    glibc itself hands back the end of the heap alone. Less than ``WORTH_IT`` stays: to take it again costs
    page faults, which small models would pay after each phase.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not (hasattr(library, "malloc_trim") and hasattr(library, "mallinfo2")):  # not glibc 2.33 or later
        return
    library.mallinfo2.restype = _Heap
    if library.mallinfo2().fordblks >= WORTH_IT:
        library.malloc_trim(0)
