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


def give_back() -> None:
    """Hand back what lies free between blocks in use, after a phase that held far more than the next one.

    glibc hands back what is free at the end of the heap alone; nothing happens where there is no glibc.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
