"""The one place for what a run needs only while it lasts: work trees, and temporary files of its children."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coreml_gate.gate.git import Repository

SCRATCH_FOLDER: Final = "tmp"
LONGEST: Final = 60
"""Sockets in a temporary folder have names of at most 107 bytes (unix(7)); Python's take 33 of them."""


@contextmanager
def scratch(output: Path, repository: Repository | None) -> Iterator[Path]:
    """An empty folder in the output folder; what a run left there that was killed goes away first."""
    folder = (output / SCRATCH_FOLDER).resolve()
    _clear(folder, repository)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _clear(folder, repository)


def for_temporary_files(folder: Path) -> Path:
    """The folder, or the system's own where its path is too long for sockets."""
    return folder if len(str(folder).encode()) <= LONGEST else Path(tempfile.gettempdir())


def _clear(folder: Path, repository: Repository | None) -> None:
    """Work trees in it are known to git, which forgets those whose folder is gone."""
    if not folder.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    if repository is not None:
        repository.forget_lost_worktrees()
