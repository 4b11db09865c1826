"""Weight files: memory-mapped, every offset and size checked before a byte is read.

Layout (mlmodel/src/MILBlob/Blob/StorageFormat.hpp of apple/coremltools): a 64-byte header {u32 count, u32
version}; at each value's offset 64 bytes of metadata {u32 sentinel, u32 dtype, u64 bytes, u64 data offset};
then the data.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coreml_gate.errors import PackageError
from coreml_gate.mil.dtypes import BY_BLOB_NUMBER, DType

_SENTINEL = 0xDEADBEEF
_VERSION = 2
_METADATA = struct.Struct("<IIQQ")
_METADATA_BYTES = 64
_MODEL_PATH = "@model_path/"
_SHOWN = 80
"""Characters of foreign text in a message."""
_AGAIN = "the package is damaged or cut off: convert it again, or fetch it again (Git LFS, artifact)."


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight files of one package, mapped at the first access."""

    folder: Path
    files: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def blob(self, file_name: str, offset: int, dtype: DType, count: int) -> NDArray[np.generic]:
        """``count`` elements of the value at ``offset``: a view, packed bytes for types narrower than a byte.

        :raises PackageError: The file is missing, the value lies outside of it, or the sentinel or type is
            wrong.
        """
        mapped = self._map(file_name)
        if offset + _METADATA_BYTES > mapped.size:
            raise PackageError(
                f"offset {offset} lies outside of `{file_name}`, which has {mapped.size} bytes.", _AGAIN
            )
        sentinel, number, size, start = _METADATA.unpack_from(mapped.data, offset)
        if sentinel != _SENTINEL:
            raise PackageError(
                f"`{file_name}` has {sentinel:#010x} at offset {offset}, "
                f"where a value must begin with {_SENTINEL:#010x}.",
                _AGAIN,
            )
        _check_dtype(file_name, offset, number, dtype)
        if start + size > mapped.size:
            raise PackageError(
                f"the value at offset {offset} of `{file_name}` claims bytes {start} to {start + size}, "
                f"but the file has {mapped.size}.",
                _AGAIN,
            )
        if size != dtype.stored_bytes(count):
            raise PackageError(
                f"the value at offset {offset} of `{file_name}` has {size} bytes, "
                f"but {count} elements of {dtype.name} take {dtype.stored_bytes(count)}.",
                _AGAIN,
            )
        data = mapped[start : start + size]
        return data if dtype.packed else data.view(dtype.numpy)

    def mapped(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """The files read so far, sorted by name."""
        yield from sorted(self.files.items())

    def release(self) -> None:
        """Let the system reclaim all pages that were read; a later read loads them again."""
        for _, data in self.mapped():
            release(data)

    def _map(self, file_name: str) -> NDArray[np.uint8]:
        if file_name not in self.files:
            self.files[file_name] = _map_file(_locate(self.folder, file_name), file_name)
        return self.files[file_name]


def release(view: NDArray[np.generic]) -> None:
    """Let the system reclaim the pages under a view of a mapped file whose elements were copied.

    Otherwise a half-precision weight and its float32 copy would both count as resident memory. A later read
    loads the pages from the file again.
    """
    mapped: Any = view
    while isinstance(mapped, np.ndarray):
        mapped, whole = mapped.base, mapped
    if not isinstance(mapped, mmap.mmap):
        return
    start = view.ctypes.data - whole.ctypes.data
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    last = (start + view.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if last > first:
        mapped.madvise(mmap.MADV_DONTNEED, first, last - first)


def is_file(path: Path) -> bool:
    """Whether the file exists; false for names that the system rejects (too long, or with a NUL)."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def lies_within(path: Path, folder: Path) -> bool:
    """Whether the path is below the folder after following links; false for circular links."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # Python 3.11 and 3.12 report a circle so
        return False


def _locate(folder: Path, file_name: str) -> Path:
    path = folder / file_name.removeprefix(_MODEL_PATH)
    shown = file_name[:_SHOWN]
    if not lies_within(path, folder):
        raise PackageError(f"the weight file `{shown}` lies outside of the package, or nowhere.", _AGAIN)
    if not is_file(path):
        raise PackageError(
            f"the weight file `{shown}` is missing in {folder}.",
            "copy the whole .mlpackage folder, its `weights` included.",
        )
    return path


def _map_file(path: Path, file_name: str) -> NDArray[np.uint8]:
    size = path.stat().st_size
    if size < _METADATA_BYTES:
        raise PackageError(
            f"`{file_name}` has {size} bytes, but its header alone takes {_METADATA_BYTES}.", _AGAIN
        )
    # Copy-on-write: torch wants writable memory; nothing here writes, so no page is ever copied.
    mapped = np.memmap(path, dtype=np.uint8, mode="c")
    version = struct.unpack_from("<II", mapped.data)[1]
    if version != _VERSION:
        raise PackageError(
            f"`{file_name}` is of version {version}; this release reads version {_VERSION}.", _AGAIN
        )
    return mapped


def _check_dtype(file_name: str, offset: int, number: int, dtype: DType) -> None:
    found = BY_BLOB_NUMBER.get(number)
    if found != dtype:
        name = f"type number {number}" if found is None else found.name
        raise PackageError(
            f"the value at offset {offset} of `{file_name}` is {name}, "
            f"but the program declares {dtype.name}.",
            _AGAIN,
        )
