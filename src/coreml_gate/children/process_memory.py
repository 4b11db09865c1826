"""Measures the current and the peak memory of this process."""

import ctypes
import ctypes.util
import os
import resource
import sys
from typing import Final

import psutil

_RUSAGE_INFO_V4: Final = 4
_WORDS: Final = 36
"""64-bit fields of ``struct rusage_info_v4`` after its 16-byte identifier (sys/resource.h of Darwin)."""
_FOOTPRINT, _GREATEST_FOOTPRINT = 7, 28
"""Indices of ``ri_phys_footprint`` and ``ri_lifetime_max_phys_footprint``, by which iOS limits an app."""


class _Usage(ctypes.Structure):
    _fields_ = (("uuid", ctypes.c_uint8 * 16), ("words", ctypes.c_uint64 * _WORDS))


def held_bytes() -> int:
    """The process's current memory: the physical footprint on a Mac, the resident size elsewhere."""
    if sys.platform == "darwin":
        return _footprint(_FOOTPRINT)
    return int(psutil.Process().memory_info().rss)


def greatest_held_bytes() -> int:
    """The process's peak memory."""
    if sys.platform == "darwin":
        return _footprint(_GREATEST_FOOTPRINT)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _footprint(word: int) -> int:
    usage = _Usage()
    library = ctypes.CDLL(ctypes.util.find_library("proc") or "libproc.dylib")
    failed = library.proc_pid_rusage(os.getpid(), _RUSAGE_INFO_V4, ctypes.byref(usage))
    return 0 if failed else int(usage.words[word])
