"""Linux's inotify: which files in a set of folders any process opens or changes (inotify(7))."""

import ctypes
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NON_BLOCKING: Final = os.O_NONBLOCK | os.O_CLOEXEC
_MODIFY, _CLOSE_WRITE, _OPEN, _CREATE = 0x2, 0x8, 0x20, 0x100
_FOLDERS_ONLY, _IS_FOLDER = 0x1000000, 0x40000000
_HEADER: Final = struct.Struct("iIII")
_AT_ONCE: Final = 1 << 20
MOST_FOLDERS: Final = 8_000
"""As many as every Linux lets a user watch (``max_user_watches``, once 8,192)."""


@dataclass(frozen=True)
class Inotify:
    """Folders under watch; events wait in the kernel until they are read, 16,384 at most."""

    descriptor: int
    folders: dict[int, Path]

    @classmethod
    def on(cls, folders: Iterable[Path]) -> "Inotify | None":
        """Watches the folders; ``None`` where the system does not let it."""
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
        """The files that were opened, and those that were made or changed, since the last call."""
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
