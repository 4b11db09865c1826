"""Pages of mapped weights that were read can go, and come back with the same bytes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.weights import Weights

ELEMENTS = 4_000_000
FILE = "@model_path/weights/weight.bin"


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    """One float32 value of 16 MB, each element its place."""
    (tmp_path / "weights").mkdir()
    data = np.arange(ELEMENTS, dtype=np.float32)
    header = struct.pack("<II", 1, 2).ljust(64, b"\0")
    metadata = struct.pack("<IIQQ", 0xDEADBEEF, 2, data.nbytes, 128).ljust(64, b"\0")
    (tmp_path / "weights" / "weight.bin").write_bytes(header + metadata + data.tobytes())
    return Weights(tmp_path)


def test_what_was_released_reads_the_same(weights: Weights) -> None:
    view = weights.blob(FILE, 64, DTYPES["fp32"], ELEMENTS)
    assert float(view[-1]) == ELEMENTS - 1
    weights.release()
    assert (view == np.arange(ELEMENTS, dtype=np.float32)).all()


def test_released_pages_are_not_resident(weights: Weights) -> None:
    view = weights.blob(FILE, 64, DTYPES["fp32"], ELEMENTS)
    view.max()
    before = _resident_of_files()
    weights.release()
    assert before - _resident_of_files() > 0.9 * view.nbytes


def _resident_of_files() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile"))
