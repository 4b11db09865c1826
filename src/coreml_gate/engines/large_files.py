"""Detects files that Git LFS has not fetched: pointers of three lines in place of the data."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreml_gate.reading import read_bytes

_HEAD: Final = b"version https://git-lfs.github.com/spec/"
_LARGEST: Final = 1024
"""Most bytes of a pointer (git-lfs, docs/spec.md)."""
WAY_OUT: Final = "fetch it: `git lfs pull`, or `lfs: true` for actions/checkout."


@dataclass(frozen=True)
class Pointer:
    """A file that exists only as a pointer."""

    path: Path
    size: int
    """Size in bytes of the data."""

    def explained(self, within: str) -> tuple[str, str]:
        """A message: what is wrong with the file or folder ``within``, and how to fix it."""
        where = "" if self.path.name == within else f" holds `{self.path.name}`, which"
        return (
            f"`{within}`{where} is a Git LFS pointer: its {self.size / 1e6:,.1f} MB were not fetched.",
            WAY_OUT,
        )


def pointer_in(path: Path) -> Pointer | None:
    """The first pointer at or below ``path``; ``None`` if all data is present."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = (_pointer(file) for file in files if file.is_file() and file.stat().st_size <= _LARGEST)
    return next(filter(None, found), None)


def _pointer(file: Path) -> Pointer | None:
    try:
        data = read_bytes(file)
    except OSError:
        return None
    size = re.search(rb"^size (\d+)$", data, re.MULTILINE)
    return Pointer(file, int(size[1])) if data.startswith(_HEAD) and size else None
