"""Files that a child may have put something else in the place of."""

import os
import shutil
from pathlib import Path


def fresh_folder(path: Path) -> None:
    """A real folder, with whatever it holds; a link or a file in its place goes away."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        path.unlink()
    path.mkdir(parents=True, exist_ok=True)


def fresh_file(path: Path) -> int:
    """A new, empty, regular file, open for reading and writing; whatever had its name goes away."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
