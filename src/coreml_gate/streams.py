"""Standard output and error, which may be closed, full, or in an encoding that lacks our characters."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import IO, Final, TextIO

from rich.console import Console

_STREAMS: Final = (0, 1, 2)
_USUAL_WIDTH: Final = 80


class _Closed(io.TextIOBase):
    """Replaces a closed standard output: writing to it is an error."""

    def write(self, text: str) -> int:
        """Raise the error of a closed descriptor."""
        del text
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


class Screen(Console):
    """Prints every text as it is, in lines of any length, and raises when its reader is gone.

    rich would take brackets for markup, and exit with 1, which means "must not merge".
    """

    def __init__(self, file: IO[str], width: int | None = None, *, quiet: bool = False) -> None:
        super().__init__(
            file=file, width=width, quiet=quiet, soft_wrap=True, emoji=False, markup=False, highlight=False
        )

    def on_broken_pipe(self) -> None:
        """Raise instead of exiting."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def open_screens() -> tuple[Screen, Screen]:
    """Standard output and standard error; text for a closed standard error is dropped.

    Closed descriptors are filled first: otherwise the next opened file would get such a number, and a child
    would print into it.
    """
    for descriptor in _STREAMS:
        _fill(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    out: TextIO = _Closed() if sys.stdout is None else sys.stdout  # type: ignore[assignment]  # enough of one
    err: TextIO = io.StringIO() if sys.stderr is None else sys.stderr
    return _screen(out), _screen(err)


def _screen(file: TextIO) -> Screen:
    screen = Screen(file)
    if screen.width < 1:  # `COLUMNS=0`, into which rich fits nothing at all
        screen.width = _USUAL_WIDTH
    return screen


def close_screens() -> None:
    """Drop output that a full disk or closed pipe refuses; Python would fail on it again at exit."""
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
