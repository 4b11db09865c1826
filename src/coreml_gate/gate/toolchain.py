"""Detects changes of the pinned versions, on which every model depends."""

import posixpath
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

from coreml_gate.reading import read_bytes
from coreml_gate.untyped import Json

PINNING_TABLES: Final = (
    ("build-system",),
    ("dependency-groups",),
    ("project", "dependencies"),
    ("project", "optional-dependencies"),
    ("project", "requires-python"),
    ("project", "dynamic"),
    ("tool", "setuptools", "dynamic"),
    ("tool", "uv"),
    ("tool", "poetry"),
    ("tool", "pdm"),
    ("tool", "pixi"),
    ("tool", "hatch", "envs"),
)
"""The parts of a pyproject.toml that decide what is installed."""

_INCLUDED = re.compile(r"^[ \t]*(?:-r|-c|--requirement|--constraint)[ \t=]*([^\s#]+)", re.MULTILINE)
"""Another file that a file of requirements names, relative to its own folder (pip's documentation)."""
_GLOB_PARTS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matching(paths: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """The paths that match a pattern: ``*`` within a folder, ``**`` across; a folder matches all in it."""
    expressions = [_expression(pattern) for pattern in patterns]
    return tuple(
        sorted(path for path in paths if any(expression.fullmatch(path) for expression in expressions))
    )


def matching_above(paths: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """Like :func:`matching`, also for files in parent folders: projects of a monorepo share a lock file."""
    by_plain_name = {path: path.removeprefix("../" * path.count("../")) for path in paths}
    matched = set(matching(by_plain_name.values(), patterns))
    return tuple(sorted(path for path, plain in by_plain_name.items() if plain in matched))


def included_in(root: Path, files: Iterable[str]) -> frozenset[str]:
    """The files of requirements that these name, and those that they name in turn."""
    found: set[str] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        for name in _INCLUDED.findall(text_of(root / file) or ""):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(file), name))
            if path not in found:
                found.add(path)
                waiting.append(path)
    return frozenset(found)


def text_of(path: Path) -> str | None:
    """The text of a file, if there is one."""
    try:
        return read_bytes(path).decode(errors="replace")
    except OSError:
        return None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.removeprefix("./").rstrip("/"))
    return re.compile("".join(_GLOB_PARTS.get(part, re.escape(part)) for part in parts) + "(?:/.*)?")


def is_pyproject(path: str) -> bool:
    """Whether the file is a pyproject.toml, most of which pins nothing."""
    return PurePosixPath(path).name == "pyproject.toml"


def pins_differ(before: str | None, after: str | None) -> bool:
    """Whether two versions of a pyproject.toml pin different things; unreadable ones are compared as text."""
    try:
        return _pins(before or "") != _pins(after or "")
    except tomllib.TOMLDecodeError:
        return before != after


def _pins(text: str) -> list[Json]:
    return [_descend(tomllib.loads(text), keys) for keys in PINNING_TABLES]


def _descend(table: Json, keys: tuple[str, ...]) -> Json:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table
