"""Signals that stop the gate: Ctrl-C, and those with which a runner or the system ends a job."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_EXIT_CODE: Final = 128
"""Shells add this to the signal's number for a process that a signal ended."""
EXIT_CODES: Final = frozenset(FIRST_EXIT_CODE + number for number in SIGNALS)


class Interrupted(KeyboardInterrupt):
    """The gate was interrupted: work in progress is dropped, finished measurements are kept."""

    def __init__(self, exit_code: int = FIRST_EXIT_CODE + signal.SIGINT) -> None:
        super().__init__()
        self.exit_code = exit_code

    @classmethod
    def of(cls, error: KeyboardInterrupt) -> "Interrupted":
        """The error with an exit code; Python's own ``KeyboardInterrupt`` counts as Ctrl-C."""
        return error if isinstance(error, Interrupted) else cls()

    @property
    def by(self) -> str:
        """The signal's name, such as ``SIGTERM``."""
        return signal.Signals(self.exit_code - FIRST_EXIT_CODE).name


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`Interrupted` at the first of :data:`SIGNALS`, and ignore later ones to write the results.

    GitHub's runner sends SIGINT, 7.5 s later SIGTERM, and 2.5 s after that SIGKILL. A signal that was already
    ignored, as under ``nohup``, stays ignored.
    """

    def stop(number: int, _: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(FIRST_EXIT_CODE + number)

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
