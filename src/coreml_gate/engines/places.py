"""Finds the user's own lines among the frames of an error, a graph or a run."""

import functools
import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

Frame = tuple[str, int]
"""File and line."""
_EXPORTED: Final = re.compile(r'File "(.+)", line (\d+)')
_TRACED: Final = re.compile(r"^(.+)\((\d+)\)(?::|$)", re.MULTILINE)
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_TOOLS: Final = frozenset({"torch", "coremltools", "functorch", "torchgen", "coreml_gate"})


def exported_frames(trace: object) -> list[Frame]:
    """The frames of a torch.export node, innermost first, from Python's text (``stack_trace``)."""
    return [(file, int(line)) for file, line in _EXPORTED.findall(str(trace))][::-1]


def traced_frames(trace: str) -> list[Frame]:
    """The frames of a TorchScript node (``sourceRange()``), ``/models/net.py(12): forward``, innermost first.

    Scripted nodes have Python's own text.
    """
    return [(file, int(line)) for file, line in _TRACED.findall(trace)] or exported_frames(trace)


def own_lines(frames: Iterable[Frame], root: Path) -> Iterator[Frame]:
    """The lines in the repository's own files, such as ``("models/net.py", 41)``."""
    for file, line in frames:
        relative = relative_to_tree(file, root)
        if relative is not None:
            yield relative, line


def own_place(frames: Iterable[Frame], root: Path) -> str:
    """The first of the repository's own lines, ``models/net.py:41``; empty if there is none.

    :param frames: Innermost first.
    """
    return next((f"{file}:{line}" for file, line in own_lines(frames, root)), "")


def place_among(frames: Iterable[Frame], root: Path) -> str:
    """The innermost line of the repository, ``models/net.py:41``, or else of a package that it uses.

    A line of an installed package is marked, ``timm/layers/norm.py:88 (installed)``: it is not in the
    repository, so annotations cannot point to it. Lines of torch and the converter are skipped.

    :param frames: Innermost first.
    """
    known = list(frames)
    installed = (f"{inside}:{line} (installed)" for file, line in known if (inside := _installed(file)))
    return own_place(known, root) or next(installed, "")


def place_of(error: BaseException, root: Path) -> str:
    """The innermost line below ``root`` that the exception passed through, or empty."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{_relative(error.filename, root) or error.filename}:{error.lineno}"
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return own_place(((frame.filename, frame.lineno or 0) for frame in frames), root)


def relative_to_tree(filename: str, root: Path) -> str | None:
    """The path below ``root`` of one of the repository's own files; ``None`` for an installed one."""
    relative = _relative(filename, root)
    return None if relative is None or _INSTALLED & set(Path(relative).parts) else relative


def _installed(filename: str) -> str:
    """The path within ``site-packages``, except for torch and the gate's own tools."""
    parts = Path(filename).parts
    start = next((place + 1 for place, part in enumerate(parts) if part in _INSTALLED), len(parts))
    inside = parts[start:]
    return "" if not inside or inside[0] in _TOOLS else "/".join(inside)


@functools.lru_cache(maxsize=10_000)
def _relative(filename: str, root: Path) -> str | None:
    """The path below ``root``; ``None`` for other files and for non-files such as ``<frozen runpy>``."""
    if not Path(filename).is_absolute() and not Path(filename).is_file():
        return None
    path, tree = _resolved(Path(filename).absolute()), _resolved(root.absolute())
    return path.relative_to(tree).as_posix() if path.is_relative_to(tree) else None


@functools.lru_cache(maxsize=10_000)
def _resolved(path: Path) -> Path:
    """The resolved path, cached because the frames of one graph name a few files a thousand times each."""
    return path.resolve()
