import numpy as np
import pytest

from coreml_gate.mil.dtypes import DTYPES, unpack


@pytest.mark.parametrize("name", ["uint1", "uint2", "uint3", "uint4", "uint6", "int4"])
def test_unpack_reads_what_was_packed_bit_by_bit(name: str) -> None:
    dtype, count = DTYPES[name], 21
    low = -8 if name == "int4" else 0
    values = (np.arange(count) * 5) % 2**dtype.bits + low
    bits = [int(value) >> bit & 1 for value in values for bit in range(dtype.bits)]
    packed = np.packbits(np.array(bits, np.uint8), bitorder="little")
    assert packed.size == dtype.stored_bytes(count)
    np.testing.assert_array_equal(unpack(packed, dtype, count), values)


def test_int4_is_signed() -> None:
    assert unpack(np.array([0x8F], np.uint8), DTYPES["int4"], 2).tolist() == [-1, -8]
