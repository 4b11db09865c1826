"""A cache of conversions by a hash of everything that affects one."""

import fcntl
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from coreml_gate.conversion.conversion import ORIGINS, Conversion
from coreml_gate.conversion.one_copy import link
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts
from coreml_gate.torch_graph import GRAPH

DEFAULT_LIMIT_BYTES: Final = 5 * 10**9
_INDEX: Final = "entry.json"
_AT_ONCE: Final = 2**20
_NEW: Final = ".new-"
_LOCK: Final = ".lock-"
_MOST_WAIT_S: Final = 300.0
"""How long to wait for another process that converts the same."""
_LOOK_EVERY_S: Final = 0.1
_ABANDONED_S: Final = 3600.0
"""Seconds after which an unfinished entry belongs to a killed process."""


@dataclass(frozen=True)
class ConversionCache:
    """A folder of entries, one per key; several processes may use it at once.

    An entry is written under a temporary name and renamed, verified when it is read, and removed if it is
    damaged or if all entries exceed ``limit_bytes``, least recently used first. If the folder cannot be used,
    nothing is stored, and conversions still work.
    """

    folder: Path
    limit_bytes: int = DEFAULT_LIMIT_BYTES

    def load(self, key: str, into: Path) -> Conversion | None:
        """Copy an entry's packages to ``into``; ``None`` if there is no entry or it is damaged."""
        entry = self.folder / key
        try:
            index = json.loads((entry / _INDEX).read_text(encoding="utf-8"))
            facts = ConversionFacts.model_validate(index["facts"])
            names = {side: _plain(index[side]) for side in ("reference", "package")}
            for name in sorted(set(names.values())):
                _copy(entry / name, into / name)
            if _sums(into, names) != index["sums"]:
                raise ValueError("the entry's files are not the ones that were stored")  # noqa: TRY301
            origins = _restored(index["origins"], into / ORIGINS)
            graph = _restored(index["graph"], into / GRAPH)
            os.utime(entry)
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            self._drop(entry)
            return None
        facts = changed(facts, cached=True)
        return Conversion(facts, into / names["reference"], into / names["package"], origins, graph)

    def store(self, key: str, conversion: Conversion) -> None:
        """Store a successful conversion, unless the key is already known."""
        if conversion.facts.status != "converted" or (self.folder / key).exists():
            return
        if conversion.reference is None or conversion.package is None:
            return
        with suppress(OSError):  # read-only, no folder, full, or another process was faster
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.folder))
            try:
                _write_entry(temporary, conversion, conversion.reference, conversion.package)
                temporary.rename(self.folder / key)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        self._evict()

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Wait while another process converts this key, whose result is then in the cache.

        The wait is short, because the other model may hang, and is skipped if files cannot be locked:
        converting twice only costs time. The system releases the lock of a process that ends.
        """
        with ExitStack() as stack:
            with suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                path = self.folder / f"{_LOCK}{key}"
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                _wait_for(descriptor)
                stack.callback(path.unlink, missing_ok=True)
            yield

    def _drop(self, entry: Path) -> None:
        if entry.name.startswith(_LOCK):
            entry.unlink(missing_ok=True)
        shutil.rmtree(entry, ignore_errors=True)

    def _evict(self) -> None:
        used = {entry: _when(entry) for entry in _listed(self.folder)}
        entries = sorted((entry for entry in used if entry.name[0] != "."), key=lambda entry: used[entry])
        for entry, when in used.items():
            if entry.name.startswith((_NEW, _LOCK)) and when < time.time() - _ABANDONED_S:
                self._drop(entry)
        sizes = {entry: _size(entry) for entry in entries}
        total = sum(sizes.values())
        for entry in entries:
            if total <= self.limit_bytes:
                return
            self._drop(entry)
            total -= sizes[entry]


def _wait_for(descriptor: int) -> None:
    """Wait until this process has locked the file, or the time is up."""
    until = time.monotonic() + _MOST_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return
            time.sleep(_LOOK_EVERY_S)
        else:
            return


def _plain(name: object) -> str:
    """The name of a package within its folder; any other form would lead outside."""
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(".mlpackage"):
        raise ValueError(f"an entry has no package {name!r}")
    return name


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _when(path: Path) -> float:
    """When the entry was last used; 0 if another process has removed it."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _write_entry(folder: Path, conversion: Conversion, reference: Path, package: Path) -> None:
    names = {"reference": reference.name, "package": package.name}
    for path in {reference, package}:
        _copy(path, folder / path.name)
    texts = {"origins": _text(conversion.origins), "graph": _text(conversion.graph)}
    facts = conversion.facts.model_dump(mode="json")
    index = {**names, **texts, "facts": facts, "sums": _sums(folder, names)}
    (folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _text(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8")


def _restored(text: str | None, path: Path) -> Path | None:
    if text is None:
        return None
    path.write_text(text, encoding="utf-8")
    return path


def _copy(source: Path, target: Path) -> None:
    """Copy by links if the system can, because packages are written once and then only read.

    If a file is modified nevertheless, the entry is damaged, which its checksums show.
    """
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, copy_function=link)


def _sums(folder: Path, names: dict[str, str]) -> dict[str, int]:
    """The CRC-32 of each file, as in ZIP: enough against damage, in half of the time of a digest."""
    files = [path for name in sorted(set(names.values())) for path in sorted((folder / name).rglob("*"))]
    return {path.relative_to(folder).as_posix(): _sum(path) for path in files if path.is_file()}


def _sum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while part := file.read(_AT_ONCE):
            found = zlib.crc32(part, found)
    return found


def _size(entry: Path) -> int:
    """The size of the files that exist."""
    size = 0
    with suppress(OSError):
        for path in entry.rglob("*"):
            size += path.stat().st_size if path.is_file() else 0
    return size
