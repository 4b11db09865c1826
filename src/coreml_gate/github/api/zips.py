"""Reads a zip from an untrusted source: only known names, within limits, every byte counted."""

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from coreml_gate.errors import ArtifactError

_CHUNK: Final = 1 << 20
_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_WAY_OUT: Final = "measure again with this version of coreml-gate, and upload with actions/upload-artifact."


@dataclass(frozen=True)
class ZipLimits:
    """What an archive may contain."""

    names: re.Pattern[str]
    """Member names must match as a whole; any other name refuses the whole archive."""
    members: int
    total_bytes: int
    """Unpacked size of all members."""
    ratio: float
    """Highest compression ratio of a member above a megabyte; deflate itself reaches about 1,030."""


@dataclass(frozen=True)
class Member:
    """One file of a checked archive."""

    name: str
    size: int


class SafeZip:
    """An archive whose members are all checked when it is opened (:class:`ArtifactError`)."""

    def __init__(self, file: BinaryIO, limits: ZipLimits) -> None:
        self._limits = limits
        try:
            self._archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise ArtifactError(f"the artifact is not a zip that can be read: {error}.", _WAY_OUT) from error
        self.members = tuple(self._checked())

    def read(self, name: str) -> bytes:
        """The content of a member."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a member, never more than its header says and the limits allow."""
        read = 0
        try:
            with self._archive.open(name) as stream:
                while chunk := stream.read(_CHUNK):
                    read += len(chunk)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise _refused(name, f"is damaged: {error}") from error
        if read != self._archive.getinfo(name).file_size:
            raise _refused(name, f"is damaged: it ends after {read:,} bytes")

    def _checked(self) -> Iterator[Member]:
        entries = [entry for entry in self._archive.infolist() if not _is_plain_folder(entry)]
        if len(entries) > self._limits.members:
            raise ArtifactError(
                f"the artifact has {len(entries):,} files, allowed {self._limits.members:,}.", _WAY_OUT
            )
        seen: set[str] = set()
        total = 0
        for entry in entries:
            self._check(entry)
            if entry.filename.casefold() in seen:
                raise _refused(entry.filename, "is there twice")
            seen.add(entry.filename.casefold())
            total += entry.file_size
            yield Member(entry.filename, entry.file_size)
        if total > self._limits.total_bytes:
            raise ArtifactError(
                f"the artifact unpacks to {total:,} bytes, allowed {self._limits.total_bytes:,}.", _WAY_OUT
            )

    def _check(self, entry: zipfile.ZipInfo) -> None:
        if entry.orig_filename != entry.filename or not self._limits.names.fullmatch(entry.filename):
            raise _refused(entry.filename, "has no place in it")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise _refused(entry.filename, "is not a regular file")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
            raise _refused(entry.filename, "is encrypted or packed in an unusual way")
        if entry.file_size > _CHUNK and entry.file_size > self._limits.ratio * max(entry.compress_size, 1):
            raise _refused(
                entry.filename,
                f"unpacks to {entry.file_size:,} bytes from {entry.compress_size:,}, "
                f"allowed {self._limits.ratio:.0f} times",
            )


def _is_plain_folder(entry: zipfile.ZipInfo) -> bool:
    """Whether the entry is a folder, which is ignored."""
    return entry.filename.endswith("/") and entry.file_size == 0


def _refused(name: str, reason: str) -> ArtifactError:
    return ArtifactError(f"the artifact was refused: {name[:120]!a} {reason}.", _WAY_OUT)
