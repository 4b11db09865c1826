"""Standard output and standard error, which may be closed, full, or of an encoding that lacks our signs."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Final, TextIO

from rich.console import Console

_STREAMS: Final = (0, 1, 2)


class _Closed(io.TextIOBase):
    """In the place of a standard output that is closed: writing to it is an error."""

    def write(self, text: str) -> int:
        """Raises as a closed descriptor does."""
        del text
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


class Screen(Console):
    """A console that raises when its reader is gone; rich would end the process with 1, our "no"."""

    def on_broken_pipe(self) -> None:
        """Passes on the error that is being handled."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def open_screens() -> tuple[Screen, Screen]:
    """Standard output and standard error; what is written to a closed standard error is dropped.

    A descriptor that is closed is filled first: the next file that is opened would get its number, and a
    child would print into it.
    """
    for descriptor in _STREAMS:
        _fill(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    out: TextIO = _Closed() if sys.stdout is None else sys.stdout  # type: ignore[assignment]  # enough of one
    err: TextIO = io.StringIO() if sys.stderr is None else sys.stderr
    return Screen(file=out, soft_wrap=True, emoji=False), Screen(file=err, soft_wrap=True, emoji=False)


def close_screens() -> None:
    """Gives up what a full disk or a closed pipe does not take: at exit, Python would complain again."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _fill(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - its own form
