"""All output files are written here: as a whole or not at all, with an error that names the obstacle."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from coreml_gate.errors import OutputError

IGNORE_NAME: Final = ".gitignore"
_IGNORE_ALL: Final = "# made by coreml-gate\n*\n"

_FULL: Final = "free some space there, or name a folder on another disk."
_NOT_YOURS: Final = "name a folder that you may write to."
_IN_THE_WAY: Final = "name another folder, or move away what lies there."
_SHORTER: Final = "name a shorter path."
_HINTS: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "raise the limit on the size of a file (`ulimit -f`), or name a folder on another disk.",
    errno.EROFS: _NOT_YOURS,
    errno.EACCES: _NOT_YOURS,
    errno.EPERM: _NOT_YOURS,
    errno.ENOENT: "name another folder: this place takes no new files.",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENAMETOOLONG: _SHORTER,
    errno.ELOOP: "name a folder that is not in a circle of links.",
    errno.EMFILE: "raise the limit on open files (`ulimit -n`).",
    errno.ENFILE: "close other programs: the system has no more open files.",
    errno.EIO: "check the disk.",
    errno.EPIPE: "keep what reads the output open until the end.",
    errno.EBADF: "keep standard output open.",
}
"""What can prevent writing, and how to fix it; any other error is a defect of ours."""


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8 (:class:`OutputError`)."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a temporary file and rename it, so that no reader ever sees half of it."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe: nothing may take its place
        else:
            _replace(path.resolve(), content)


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def make_folder(folder: Path) -> None:
    """Make a folder and its parents (:class:`OutputError`)."""
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)


def make_output_folder(folder: Path) -> None:
    """Make the folder of a run, with a ``.gitignore``, and check now that it can be written to.

    A folder that already held something is the user's own and gets no ``.gitignore``.
    """
    with naming(folder):
        is_ours = not folder.exists() or not any(folder.iterdir())
    make_folder(folder)
    if is_ours:
        write_text(folder / IGNORE_NAME, _IGNORE_ALL)
    with naming(folder):
        probe = folder / f".{os.getpid()}.part"
        probe.write_bytes(b"\n")
        probe.unlink()


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """A run's own folder, which is made; two runs at once would mix their files (:class:`OutputError`)."""
    make_output_folder(folder)
    with naming(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    """The system takes the lock back when the process ends; a disk without locks has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(
            f"`{folder}` is in use by another run.",
            "wait until that one has ended, or name another folder (`--output`).",
        ) from error
    except OSError:
        return


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn errors of the system while writing to ``path`` into :class:`OutputError`."""
    try:
        yield
    except OSError as error:
        raise output_error(error, path) or error from error
    except RecursionError as error:
        name = f"{str(path)[:40]}..."
        raise OutputError(f"`{name}` cannot be written: too many folders in folders.", _SHORTER) from error


def output_error(error: BaseException, path: Path | None = None) -> OutputError | None:
    """The error in words, or ``None`` if it is not one of the system's.

    An error that names no file is about the standard output, the only output without a name.
    """
    hint = _HINTS.get(error.errno or 0) if isinstance(error, OSError) else None
    if not isinstance(error, OSError) or hint is None:
        return None
    named = path or error.filename
    place = f"`{named}`" if named is not None else "the standard output"
    return OutputError(f"{place} cannot be written: {error.strerror}.", hint)
