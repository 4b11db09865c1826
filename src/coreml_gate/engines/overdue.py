"""Gives a call of the user's code up that does not end: a loop in Python, on numbers that it never meets.

Python itself raises the end, between two of its steps (``PyThreadState_SetAsyncExc``), so a call within a
library goes on until that library returns.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from coreml_gate.engines.engine import OverdueCallError

_LOOK_EVERY_S: Final = 0.5
Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What the call returns; raises :class:`OverdueCallError` in it after so much of this thread's own time.

    Code that catches even that is interrupted again, until it ends.
    """
    watch = _Watch(seconds)
    try:
        try:
            return call()
        finally:
            watch.stop()
    except OverdueCallError:
        watch.stop()  # what was raised in the midst of the other
        raise


class _Watch:
    """A thread beside the one that makes it, which it interrupts."""

    def __init__(self, seconds: float) -> None:
        self._watched = threading.get_ident()
        self._over = threading.Event()
        self._raising = threading.Lock()
        own_time = _clock_of(self._watched)
        until = own_time() + seconds
        threading.Thread(target=self._look, args=(own_time, until, seconds), daemon=True).start()

    def stop(self) -> None:
        """Interrupt no more; what was raised and has not arrived is taken back."""
        self._over.set()
        with self._raising:
            _raise_in(self._watched, None)

    def _look(self, own_time: Callable[[], float], until: float, seconds: float) -> None:
        while not self._over.wait(min(seconds, _LOOK_EVERY_S)):
            with self._raising:
                if own_time() >= until and not self._over.is_set():
                    _raise_in(self._watched, OverdueCallError)


def _clock_of(thread: int) -> Callable[[], float]:
    """The thread's own time, so that a busy machine gives up no earlier; a Mac has no such clock."""
    clock_id = getattr(time, "pthread_getcpuclockid", None)
    if clock_id is None:
        return time.monotonic
    number = clock_id(thread)
    return lambda: time.clock_gettime(number)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    raised = ctypes.py_object() if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
