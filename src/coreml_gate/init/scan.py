"""Scans a repository for the files that build and convert models, and for stored packages."""

import ast
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from coreml_gate.engines.large_files import pointer_in
from coreml_gate.init.found import FoundRepository, StoredPackage
from coreml_gate.init.python_file import defined_in, read_python
from coreml_gate.init.shapes import Helpers
from coreml_gate.reading import read_text

MAX_FILE_BYTES: Final = 1_000_000
"""Longer Python files are left out, because they are generated or data."""
_PACKAGE_FILE: Final = "Manifest.json"
_LEFT_OUT: Final = {"tests", "test", "docs", ".venv", "venv", "site-packages", "node_modules", ".coreml-gate"}
_CONVERSION: Final = ("ct.convert(", "coremltools.convert(", 'format="coreml"', "format='coreml'")
_MODULE: Final = ("nn.Module)", "LightningModule)")
_REQUIREMENTS: Final = ("requirements.txt", "requirements-models.txt", "requirements/base.txt")


def scan(root: Path, names: frozenset[str]) -> FoundRepository:
    """Find everything of interest in the named files, whose names are relative to the root."""
    kept = [name for name in sorted(names) if not _LEFT_OUT & set(PurePosixPath(name).parts[:-1])]
    texts = {name: text for name in kept if name.endswith(".py") and (text := _text(root / name)) is not None}
    helpers, unread = _helpers(texts)
    notebooks = {name: _code(root / name) for name in kept if name.endswith(".ipynb")}
    return FoundRepository(
        files=tuple(read_python(text, name, helpers) for name, text in texts.items() if name not in unread),
        packages=tuple(_packages(root, kept)),
        notebooks=tuple(name for name, code in notebooks.items() if _holds(code, _CONVERSION)),
        notebook_modules=tuple(
            name
            for name, code in notebooks.items()
            if _holds(code, _MODULE) and not _holds(code, _CONVERSION)
        ),
        unread=unread,
        requirements=next((name for name in _REQUIREMENTS if name in names), ""),
        uses_lfs=".gitattributes" in names and "filter=lfs" in (_text(root / ".gitattributes") or ""),
    )


def _helpers(texts: Mapping[str, str]) -> tuple[Helpers, tuple[str, ...]]:
    """What the files define under a name that is theirs alone, and the files that do not parse."""
    found: list[Helpers] = []
    unread: list[str] = []
    for name, text in texts.items():
        try:
            found.append(defined_in(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError):
            unread.append(name)
    counts = Counter(name for each in found for name in each)
    helpers = {name: each for one in found for name, each in one.items() if counts[name] == 1}
    return helpers, tuple(unread)


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


def _code(notebook: Path) -> tuple[str, ...]:
    """The code of a notebook's cells; none if it cannot be read."""
    try:
        cells = json.loads(_text(notebook) or "")["cells"]
        return tuple("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def _holds(code: tuple[str, ...], signs: tuple[str, ...]) -> bool:
    return any(sign in cell for cell in code for sign in signs)
