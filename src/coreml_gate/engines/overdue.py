"""Ends a call of the user's code that takes too long, such as a loop in Python that never converges.

Python raises the exception between two bytecode instructions (``PyThreadState_SetAsyncExc``), so a call
within a library continues until it returns.
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
    """The result of the call; raises :class:`OverdueCallError` in it after this much of the thread's own
    time.

    Code that catches the exception is interrupted again, until it ends.
    """
    watch = _Watch(seconds)
    try:
        try:
            return call()
        finally:
            watch.stop()
    except OverdueCallError:
        watch.stop()  # raised while the other was handled
        raise


class _Watch:
    """A thread that interrupts the thread that made it."""

    def __init__(self, seconds: float) -> None:
        self._watched = threading.get_ident()
        self._over = threading.Event()
        self._raising = threading.Lock()
        own_time = _clock_of(self._watched)
        until = own_time() + seconds
        threading.Thread(target=self._look, args=(own_time, until, seconds), daemon=True).start()

    def stop(self) -> None:
        """Stop interrupting, and cancel an exception that has not arrived yet."""
        self._over.set()
        with self._raising:
            _raise_in(self._watched, None)

    def _look(self, own_time: Callable[[], float], until: float, seconds: float) -> None:
        while not self._over.wait(min(seconds, _LOOK_EVERY_S)):
            with self._raising:
                if own_time() >= until and not self._over.is_set():
                    _raise_in(self._watched, OverdueCallError)


def _clock_of(thread: int) -> Callable[[], float]:
    """The thread's own time, so that other load does not shorten it; a Mac has no such clock."""
    clock_id = getattr(time, "pthread_getcpuclockid", None)
    if clock_id is None:
        return time.monotonic
    number = clock_id(thread)
    return lambda: time.clock_gettime(number)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    raised = ctypes.py_object() if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
