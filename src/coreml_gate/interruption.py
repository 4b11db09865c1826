"""The gate has to stop: Ctrl-C, and what a runner or a system sends when it ends a job."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_EXIT_CODE: Final = 128
"""A process that a signal ended exits with this and the signal's number, as shells have it."""
EXIT_CODES: Final = frozenset(FIRST_EXIT_CODE + number for number in SIGNALS)


class Interrupted(KeyboardInterrupt):
    """The gate was interrupted; what is under way is given up, and what was measured stays."""

    def __init__(self, exit_code: int = FIRST_EXIT_CODE + signal.SIGINT) -> None:
        super().__init__()
        self.exit_code = exit_code

    @classmethod
    def of(cls, error: KeyboardInterrupt) -> "Interrupted":
        """The same error with its exit code; Python's own is one of Ctrl-C."""
        return error if isinstance(error, Interrupted) else cls()

    @property
    def by(self) -> str:
        """``SIGTERM``."""
        return signal.Signals(self.exit_code - FIRST_EXIT_CODE).name


@contextmanager
def interruptible() -> Iterator[None]:
    """The first of :data:`SIGNALS` raises :class:`Interrupted`; further ones leave time to write the rest.

    GitHub's runner sends SIGINT, 7.5 s later SIGTERM, and 2.5 s later SIGKILL. A signal that the parent
    process ignores, as ``nohup`` does, stays ignored.
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
