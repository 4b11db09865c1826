"""Scans a repository for the files that build and convert models, and for stored packages."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from coreml_gate.engines.large_files import pointer_in
from coreml_gate.init.found import FoundRepository, PythonFile, StoredPackage
from coreml_gate.init.python_file import read_python
from coreml_gate.reading import read_text

MAX_FILE_BYTES: Final = 1_000_000
"""Longer Python files are left out, because they are generated or data."""
_PACKAGE_FILE: Final = "Manifest.json"
_LEFT_OUT: Final = {"tests", "test", "docs", ".venv", "venv", "site-packages", "node_modules", ".coreml-gate"}
_CONVERSION: Final = ("ct.convert(", "coremltools.convert(", 'format="coreml"', "format='coreml'")
_REQUIREMENTS: Final = ("requirements.txt", "requirements-models.txt", "requirements/base.txt")


def scan(root: Path, names: frozenset[str]) -> FoundRepository:
    """Find everything of interest in the named files, whose names are relative to the root."""
    kept = [name for name in sorted(names) if not _LEFT_OUT & set(PurePosixPath(name).parts[:-1])]
    read: list[PythonFile] = []
    unread: list[str] = []
    for name in kept:
        if name.endswith(".py") and (text := _text(root / name)) is not None:
            try:
                read.append(read_python(text, name))
            except (SyntaxError, ValueError, RecursionError):
                unread.append(name)
    return FoundRepository(
        files=tuple(read),
        packages=tuple(_packages(root, kept)),
        notebooks=tuple(name for name in kept if name.endswith(".ipynb") and _converts(root / name)),
        unread=tuple(unread),
        requirements=next((name for name in _REQUIREMENTS if name in names), ""),
        uses_lfs=".gitattributes" in names and "filter=lfs" in (_text(root / ".gitattributes") or ""),
    )


def _text(file: Path) -> str | None:
    """A file's text; ``None`` if it is too long, missing, or not text."""
    try:
        if not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
            return None
        return read_text(file)
    except (OSError, UnicodeDecodeError):
        return None


def _packages(root: Path, names: list[str]) -> Iterator[StoredPackage]:
    for name in names:
        path = PurePosixPath(name)
        if path.name == _PACKAGE_FILE and path.parent.suffix == ".mlpackage":
            yield StoredPackage(path.parent.as_posix(), pointer_in(root / path.parent) is not None)


def _converts(notebook: Path) -> bool:
    text = _text(notebook)
    if text is None:
        return False
    try:
        cells = json.loads(text)["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return any(call in cell for cell in code for call in _CONVERSION)
