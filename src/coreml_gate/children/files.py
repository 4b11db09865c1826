"""Opens files and folders safely although a child may have replaced them."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from coreml_gate.reading import open_regular


def fresh_folder(path: Path, below: Path | None = None) -> None:
    """Ensure that a path is a real folder; its content stays, but a link or a file in its place is removed.

    The same applies to the folders between ``below`` and it.
    """
    between = () if below is None else [each for each in path.parents if each.is_relative_to(below)][::-1]
    for folder in (*between[1:], path):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            folder.unlink()
    path.mkdir(parents=True, exist_ok=True)


def fresh_file(path: Path) -> int:
    """Open a new, empty, regular file for reading and writing; anything else of that name is removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def open_foreign(path: Path) -> BinaryIO:
    """Open a file made by a child for reading; raises :class:`OSError` unless it is a regular file."""
    return open_regular(path, os.O_NOFOLLOW)
