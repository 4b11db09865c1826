"""Finds the repository's files that are read while a model is measured, which imports do not show.

Python's audit events report what this process opens and lists (PEP 578). Only the system knows the files that
compiled readers and child processes open. On Linux inotify reports them, but for every process, so it is used
only if ``CI`` is set: on a laptop, editors open files as well.
"""

import ctypes
import importlib.util
import os
import struct
import sys
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final

MOST_PATHS: Final = 2_000
"""The limit for one model; beyond it, folders stand for the files in them."""
_NOT_OF_THE_TREE: Final = frozenset({".git", "site-packages", "dist-packages", "node_modules", "__pycache__"})
_READING: Final = frozenset({"open", "sqlite3.connect", "ctypes.dlopen"})
_LISTING: Final = frozenset({"os.listdir", "os.scandir"})
_WATCHED: Final = _READING | _LISTING
_IMPORT_SYSTEM: Final = ("importlib", "pkgutil")
"""Modules that list all folders of ``sys.path``, without reading files there."""
_INSTALLED: Final = (f"{sys.base_prefix}/lib/", f"{sys.prefix}/lib/", f"{Path(__file__).parents[1]}/")
_NON_BLOCKING: Final = os.O_NONBLOCK | os.O_CLOEXEC
_MODIFY, _CLOSE_WRITE, _OPEN, _CREATE = 0x2, 0x8, 0x20, 0x100
_FOLDERS_ONLY, _IS_FOLDER = 0x1000000, 0x40000000
_HEADER: Final = struct.Struct("iIII")
_AT_ONCE: Final = 1 << 20
MOST_FOLDERS: Final = 8_000
"""The number that every Linux lets a user watch (``max_user_watches``, formerly 8,192)."""


@dataclass(frozen=True)
class Inotify:
    """Watched folders; the kernel queues up to 16,384 events until they are read."""

    descriptor: int
    folders: dict[int, Path]

    @classmethod
    def on(cls, folders: Iterable[Path]) -> "Inotify | None":
        """Watch the folders; ``None`` if the system does not allow it."""
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = libc.inotify_init1(_NON_BLOCKING)
        if descriptor < 0:
            return None
        mask = _MODIFY | _CLOSE_WRITE | _OPEN | _CREATE | _FOLDERS_ONLY
        watched: dict[int, Path] = {}
        for folder in folders:
            number = libc.inotify_add_watch(descriptor, os.fsencode(folder), mask)
            if number < 0 or len(watched) == MOST_FOLDERS:
                break
            watched[number] = folder
        return cls(descriptor, watched)

    def events(self) -> tuple[set[str], set[str]]:
        """The files that were opened, and those that were created or changed, since the last call."""
        opened: set[str] = set()
        changed: set[str] = set()
        while content := self._read():
            place = 0
            while place < len(content):
                number, mask, _, length = _HEADER.unpack_from(content, place)
                place += _HEADER.size
                name = os.fsdecode(content[place : place + length].rstrip(b"\0"))
                place += length
                if number in self.folders and name and not mask & _IS_FOLDER:
                    (opened if mask & _OPEN else changed).add(str(self.folders[number] / name))
        return opened, changed

    def _read(self) -> bytes:
        try:
            return os.read(self.descriptor, _AT_ONCE)
        except BlockingIOError:
            return b""


@dataclass
class OpenedFiles:
    """Opened files relative to a tree's root, with ``..`` for those outside it within the repository."""

    root: Path
    ignored: Sequence[Path]
    """The gate's own folders."""
    _read: set[str] = field(default_factory=set, repr=False)
    _written: set[str] = field(default_factory=set, repr=False)
    _inotify: Inotify | None = field(default=None, repr=False)
    _process: int = field(default_factory=os.getpid, repr=False)
    _known_places: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def watch(cls, root: Path, ignored: Sequence[Path], environment: Mapping[str, str]) -> "OpenedFiles":
        """Start watching, for as long as the result is kept; the hook remains but is then idle (PEP 578).

        An ignored folder that contains the whole tree, as with ``--output .``, is not ignored.
        """
        tree = root.resolve()
        own = (folder.resolve() for folder in ignored)
        watched = cls(tree, tuple(folder for folder in own if not tree.is_relative_to(folder)))
        if environment.get("CI") and sys.platform == "linux":
            watched._inotify = Inotify.on(_folders_below(watched.root, watched.ignored))
        kept = weakref.WeakMethod(watched._note)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _WATCHED and (note := kept()) is not None:  # each call of `id` is an event
                note(event, arguments)

        sys.addaudithook(hook)
        return watched

    def paths(self) -> tuple[str, ...]:
        """The files read so far and not written by the model itself, sorted."""
        files = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
        read = {*self._read, *(file for file in files if isinstance(file, str) and _may_matter(file))}
        if self._inotify is not None:
            opened, changed = self._inotify.events()
            read |= opened
            self._written |= changed
        return _shortened({place for path in read - self._written for place in self._places_of(path)})

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Record an event of ``_WATCHED``; which must not raise: that would raise in the model's own code."""
        path = _path_in(arguments)
        if path is None or not _may_matter(path) or os.getpid() != self._process:
            return
        if event == "open" and _writes(arguments):
            self._written.add(path)
        elif event not in _LISTING or not _is_import():
            self._read.add(path)

    def _places_of(self, path: str) -> tuple[str, ...]:
        if path not in self._known_places:
            self._known_places[path] = tuple(self._places(path, _top_of(self.root)))
        return self._known_places[path]

    def _places(self, path: str, top: Path) -> Iterable[str]:
        """The path and the target of its links, if they are in the repository and not the gate's."""
        for each in {path, os.path.realpath(path)}:
            file = PurePath(_source_of(each))
            inside = file.is_relative_to(top) and file not in (top, self.root)
            own = any(file.is_relative_to(folder) for folder in self.ignored)
            if inside and not own and _NOT_OF_THE_TREE.isdisjoint(file.parts[len(top.parts) :]):
                yield PurePath(os.path.relpath(file, self.root)).as_posix()


def _path_in(arguments: tuple[Any, ...]) -> str | None:
    """The path that the call opens; ``None`` for a descriptor, for a non-path, and without a folder."""
    try:
        path = os.fsdecode(arguments[0])
        if path.startswith("file:"):  # as sqlite has it
            path = path.removeprefix("file:").partition("?")[0]
        return os.path.abspath(path) if path else None  # noqa: PTH100 - links stay
    except (IndexError, TypeError, ValueError, OSError):
        return None


def _writes(arguments: tuple[Any, ...]) -> bool:
    """Whether the arguments of ``open``: path, mode, flags, allow more than reading."""
    mode, flags = (*arguments, None, None)[1:3]
    if isinstance(mode, str):
        return any(sign in mode for sign in "wax+")
    return isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) != 0


def _may_matter(path: str) -> bool:
    """Whether a file may be the repository's; thousands of those that Python opens are installed ones."""
    return "site-packages" not in path and not path.startswith(_INSTALLED)


def _is_import() -> bool:
    caller = sys._getframe(3).f_code.co_filename  # noqa: SLF001 - the only way to know who lists a folder
    return any(name in caller for name in _IMPORT_SYSTEM)


def _source_of(path: str) -> str:
    """The Python file from which a compiled one was made."""
    if not path.endswith(".pyc"):
        return path
    try:
        return importlib.util.source_from_cache(path)
    except ValueError:
        return path


def _top_of(root: Path) -> Path:
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)


def _folders_below(root: Path, ignored: Sequence[Path]) -> Iterable[Path]:
    for folder, names, _ in os.walk(root):
        names[:] = [
            name for name in names if name not in _NOT_OF_THE_TREE and Path(folder, name) not in ignored
        ]
        yield Path(folder)


def _shortened(paths: set[str]) -> tuple[str, ...]:
    """Reduce the number of paths: the folder with the most paths replaces them until few enough are left."""
    while len(paths) > MOST_PATHS:
        ((folder, _),) = Counter(path.rpartition("/")[0] for path in paths).most_common(1)
        if not folder:
            break
        paths = {path for path in paths if path.rpartition("/")[0] != folder} | {folder}
    return tuple(sorted(paths)[:MOST_PATHS])
