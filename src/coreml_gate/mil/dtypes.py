"""MIL's element types: names, bit widths, and their forms in memory, immediate values and weight files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

MOST_BYTES = 2**33
"""More than any single value that a phone or a Mac can hold; a larger size means a damaged package."""


@dataclass(frozen=True, slots=True)
class DType:
    """One element type: MIL's name, its numbers in MIL.proto and in weight files, its numpy dtype."""

    name: str
    bits: int
    number: int
    numpy: DTypeLike
    blob_number: int | None = None

    @property
    def packed(self) -> bool:
        """Whether several elements share a byte."""
        return self.bits < 8  # noqa: PLR2004  # a byte

    def stored_bytes(self, count: int) -> int:
        """Bytes of ``count`` elements, rounded up."""
        return (count * self.bits + 7) // 8


# Numbers: mlmodel/format/MIL.proto (DataType) and mlmodel/src/MILBlob/Blob/BlobDataType.hpp of
# apple/coremltools.
_ALL = (
    DType("bool", 8, 1, np.bool_),
    DType("string", 8, 2, np.object_),
    DType("fp16", 16, 10, np.float16, 1),
    DType("fp32", 32, 11, np.float32, 2),
    DType("fp64", 64, 12, np.float64),
    DType("int8", 8, 21, np.int8, 4),
    DType("int16", 16, 22, np.int16, 6),
    DType("int32", 32, 23, np.int32, 14),
    DType("int64", 64, 24, np.int64),
    DType("int4", 4, 25, np.int8, 8),
    DType("uint8", 8, 31, np.uint8, 3),
    DType("uint16", 16, 32, np.uint16, 7),
    DType("uint32", 32, 33, np.uint32, 15),
    DType("uint64", 64, 34, np.uint64),
    DType("uint4", 4, 35, np.uint8, 11),
    DType("uint2", 2, 36, np.uint8, 10),
    DType("uint1", 1, 37, np.uint8, 9),
    DType("uint6", 6, 38, np.uint8, 13),
    DType("uint3", 3, 39, np.uint8, 12),
)
DTYPES: dict[str, DType] = {dtype.name: dtype for dtype in _ALL}
BY_NUMBER: dict[int, DType] = {dtype.number: dtype for dtype in _ALL}
BY_BLOB_NUMBER: dict[int, DType] = {
    dtype.blob_number: dtype for dtype in _ALL if dtype.blob_number is not None
}


def unpack(packed: NDArray[np.uint8], dtype: DType, count: int) -> NDArray[np.generic]:
    """``count`` elements of a sub-byte type, one per byte; packing is little-endian across bytes."""
    if 8 % dtype.bits == 0:
        shifts = np.arange(0, 8, dtype.bits, dtype=np.uint8)
        mask = np.uint8((1 << dtype.bits) - 1)
        values = ((packed[:, None] >> shifts) & mask).reshape(-1)[:count]
    else:
        bits = np.unpackbits(packed, bitorder="little")[: count * dtype.bits].reshape(count, dtype.bits)
        values = np.packbits(bits, axis=1, bitorder="little")[:, 0]
    if dtype.name == "int4":
        return ((values ^ 8).astype(np.int8) - 8).astype(np.int8)
    return values.astype(dtype.numpy, copy=False)
