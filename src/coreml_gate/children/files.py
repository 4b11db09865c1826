"""Files that a child may have put something else in the place of."""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO


def fresh_folder(path: Path, below: Path | None = None) -> None:
    """A real folder, with whatever it holds; a link or a file in its place goes away.

    So does what stands in the place of the folders between ``below`` and it.
    """
    between = () if below is None else [each for each in path.parents if each.is_relative_to(below)][::-1]
    for folder in (*between[1:], path):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            folder.unlink()
    path.mkdir(parents=True, exist_ok=True)


def fresh_file(path: Path) -> int:
    """A new, empty, regular file, open for reading and writing; whatever had its name goes away."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def open_foreign(path: Path) -> BinaryIO:
    """A file that a child made, for reading; raises :class:`OSError` for a link and for anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return file
