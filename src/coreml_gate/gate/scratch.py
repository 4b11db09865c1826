"""The folder for everything temporary of a run: work trees, and the children's temporary files."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coreml_gate.gate.git import Repository

SCRATCH_FOLDER: Final = "tmp"
LONGEST: Final = 60
"""Longest path, in bytes, for sockets: their names have at most 107 bytes (unix(7)), and Python's take 33."""


@contextmanager
def scratch(output: Path, repository: Repository | None) -> Iterator[Path]:
    """An empty folder within the output folder; leftovers of a killed run are removed first."""
    folder = (output / SCRATCH_FOLDER).resolve()
    _clear(folder, repository)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _clear(folder, repository)


def for_temporary_files(folder: Path) -> Path:
    """The folder, or the system's own if its path is too long for sockets."""
    return folder if len(str(folder).encode()) <= LONGEST else Path(tempfile.gettempdir())


def _clear(folder: Path, repository: Repository | None) -> None:
    """Remove the folder, and have git forget the work trees in it."""
    if not folder.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    if repository is not None:
        repository.forget_lost_worktrees()
