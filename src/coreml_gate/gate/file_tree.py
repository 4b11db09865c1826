"""The files of a checked-out tree, and what git reports for a path that leads through links."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from coreml_gate.errors import RepositoryError

_MOST_LINKS: Final = 40
"""The number of links that Linux follows in one path (``path_resolution(7)``); more are taken for a loop."""
_GONE: Final = "(gone)"
MOST_FILES: Final = 100_000
"""Most files of one folder that a model names: no model reads more, and a link to `/` leads to millions."""


class Entry(NamedTuple):
    """One name in a folder, seen through its links."""

    is_file: bool
    is_folder: bool
    """Neither file nor folder: a broken link, a device, a pipe."""
    is_link: bool


class _Way(NamedTuple):
    """Where a path ends and the links on its way, all relative to the tree's root."""

    end: str
    links: frozenset[str]


_ROOT: Final = _Way("", frozenset())


@dataclass(frozen=True)
class FileTree:
    """Folders below ``root``, each listed only once; a path that starts with ``..`` leads out of it.

    A folder that cannot be listed (missing, unreadable, in a circle of links, name too long) counts as empty:
    Python could not import from it either.
    """

    root: Path
    _folders: dict[str, Mapping[str, Entry]] = field(default_factory=dict, repr=False)
    _ways: dict[str, _Way] = field(default_factory=dict, repr=False)
    _linked: dict[str, bool] = field(default_factory=dict, repr=False)

    def listing(self, folder: str) -> Mapping[str, Entry]:
        """The entries of a folder by name."""
        if folder not in self._folders:
            self._folders[folder] = _list_folder(self.root / folder)
        return self._folders[folder]

    def entry(self, path: str) -> Entry | None:
        """The entry at a path, or ``None``."""
        folder, _, name = path.rpartition("/")
        return self.listing(folder).get(name)

    def is_file(self, path: str) -> bool:
        """Whether a file is there, also behind links."""
        entry = self.entry(path)
        return entry is not None and entry.is_file

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there, also behind links."""
        entry = self.entry(path)
        return entry is not None and (entry.is_file or entry.is_folder)

    def end_of(self, path: str) -> str:
        """The path with all links resolved; in a circle of links, where the circle begins."""
        return self._way(path).end

    def behind(self, paths: Iterable[str]) -> frozenset[str]:
        """The links that these paths lead through and where they end; git reports changes only of those."""
        suspects = (path for path in paths if self._has_links(path.rpartition("/")[0]))
        return frozenset(name for path in suspects for name in self._names_behind(path))

    def files_below(self, path: str) -> list[str]:
        """The file at a path, or all files of the folder there, sorted; a folder inside itself is left out.

        :raises RepositoryError: There are more than ``MOST_FILES``.
        """
        entry = self.entry(path)
        if entry is None or not entry.is_folder:
            return [path] if entry is not None and entry.is_file else []
        files = list(islice(self._walk(path, ()), MOST_FILES + 1))
        if len(files) > MOST_FILES:
            raise RepositoryError(
                f"`{path}` holds more than {MOST_FILES:,} files, those behind its links included.",
                "a model is measured again if one of its files changed: remove links to folders such as "
                "`/`, or name only the files that the model reads.",
            )
        return sorted(files)

    def _walk(self, folder: str, around: tuple[str, ...]) -> Iterator[str]:
        end = self.end_of(folder)
        if end in around:
            return
        for name, entry in self.listing(folder).items():
            if entry.is_folder:
                yield from self._walk(f"{folder}/{name}", (*around, end))
            elif entry.is_file:
                yield f"{folder}/{name}"

    def _has_links(self, folder: str) -> bool:
        """Whether a folder is reached through a link or contains one; most are neither, which saves time."""
        if folder not in self._linked:
            held = any(entry.is_link for entry in self.listing(folder).values())
            self._linked[folder] = held or bool(self._way(folder).links)
        return self._linked[folder]

    def _names_behind(self, path: str) -> Iterator[str]:
        end, links = self._way(path)
        if links:
            yield from links
            yield end

    def _way(self, path: str) -> _Way:
        folder, _, name = path.rpartition("/")
        if folder not in self._ways:
            self._ways[folder] = self._follow(_ROOT, folder)
        return self._follow(self._ways[folder], name)

    def _follow(self, start: _Way, path: str) -> _Way:
        """Follow a path part by part as the system does: ``..`` after a link leaves the link's target."""
        end, links = start
        waiting = path.split("/")[::-1]
        links_left = _MOST_LINKS
        while waiting:
            name = waiting.pop()
            place = _joined(end, name)
            entry = None if name in ("", ".", "..") else self.entry(place)
            if entry is not None and entry.is_link and links_left > 0:
                links_left -= 1
                links |= {place}
                end, target = self._target(end, place)
                waiting += target.split("/")[::-1]
            else:
                end = place
        return _Way(end, links)

    def _target(self, folder: str, link: str) -> tuple[str, str]:
        """The folder that a link's text is relative to, and that text."""
        try:
            written = str((self.root / link).readlink())
        except OSError:  # gone by now, or never a link: `/proc` is full of these
            return folder, _GONE
        if posixpath.isabs(written):
            return "", posixpath.relpath(written, self.root.resolve().as_posix())
        return folder, written


def _joined(folder: str, name: str) -> str:
    if name in ("", "."):
        return folder
    if name == ".." and folder and posixpath.basename(folder) != "..":
        return posixpath.dirname(folder)
    return f"{folder}/{name}" if folder else name


def _list_folder(folder: Path) -> Mapping[str, Entry]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: _entry(entry) for entry in entries}
    except (OSError, ValueError):
        return {}


def _entry(entry: os.DirEntry[str]) -> Entry:
    try:
        return Entry(entry.is_file(), entry.is_dir(), entry.is_symlink())
    except OSError:
        return Entry(is_file=False, is_folder=False, is_link=True)
