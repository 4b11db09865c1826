"""Files that may be foreign are read here: regular files only, and no more bytes than their size.

In a checkout, a name may be a link to a device, a pipe or a file of `/proc`. Reading one of these may block,
never end, or have effects of its own.
"""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO, Final

_SHELL_PIPES: Final = ("/dev/fd/", "/proc/self/fd/")
_NOT_REGULAR: Final = "not a regular file"
MOST_BYTES: Final = 2**29
"""A thousand models have less in their Record."""


def open_regular(path: str | Path, flags: int = 0) -> BinaryIO:
    """Open a regular file for reading; raises :class:`OSError` for anything else, which is not opened."""
    return os.fdopen(_opened(path, flags)[0], "rb")


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a regular file (:class:`OSError`); none of a file of `/proc`, whose size is 0.

    A plan reads thousands of small files, for which a file object would take longer than the bytes.
    """
    descriptor, size = _opened(path)
    try:
        content = os.read(descriptor, size)
        while len(content) < size and (more := os.read(descriptor, size - len(content))):
            content += more  # a system reads 2 GiB at a time
        return content
    finally:
        os.close(descriptor)


def _opened(path: str | Path, flags: int = 0) -> tuple[int, int]:
    """The descriptor and the size of a regular file."""
    _require_regular(os.stat(path, follow_symlinks=not flags & os.O_NOFOLLOW), path)  # noqa: PTH116 - see `read_bytes`
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        found = os.fstat(descriptor)
        _require_regular(found, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, found.st_size


def read_text(path: str | Path) -> str:
    """The text of a regular file in UTF-8 (:class:`OSError`, :class:`UnicodeDecodeError`)."""
    return read_bytes(path).decode()


def read_named(path: Path) -> bytes:
    """As :func:`read_bytes`, up to :data:`MOST_BYTES` and one more; also a shell's pipe, ``<(command)``."""
    if str(path).startswith(_SHELL_PIPES):
        with path.open("rb") as pipe:
            return pipe.read(MOST_BYTES + 1)
    with open_regular(path) as file:
        return file.read(min(MOST_BYTES + 1, os.fstat(file.fileno()).st_size))


def copy_tree(source: Path, target: Path) -> Path:
    """Copy a folder; raises :class:`OSError` if it holds anything but regular files and folders."""
    for path in sorted(source.rglob("*")):
        if not path.is_dir():
            _require_regular(path.stat(), path)
    return Path(shutil.copytree(source, target, dirs_exist_ok=True))


def _require_regular(found: os.stat_result, path: str | Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, _NOT_REGULAR, str(path))
