"""Do samples and answers come back as they were written?"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coreml_gate.children.reference_data import (
    ReferenceSample,
    read_answers,
    read_reference_data,
    write_answers,
    write_reference_data,
)
from coreml_gate.errors import WorkerError


def test_samples_keep_their_order_names_and_types(tmp_path: Path) -> None:
    samples = [
        ReferenceSample({"a/b": np.full((2,), index, np.int32)}, {"y": np.float32([index])}, {})
        for index in range(12)
    ]
    write_reference_data(tmp_path / "expected.npz", samples)
    read = read_reference_data(tmp_path / "expected.npz")
    assert [int(sample.inputs["a/b"][0]) for sample in read] == list(range(12))
    assert read[3].inputs["a/b"].dtype == np.int32
    assert read[3].source["y"] == 3
    assert read[3].fp16 == {}


def test_answers_keep_their_order(tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.npz", [{"y": np.array([index])} for index in range(11)])
    assert [int(answer["y"][0]) for answer in read_answers(tmp_path / "answers.npz")] == list(range(11))


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _claims_a_million_times_more(path: Path) -> None:
    header = np.lib.format.magic(1, 0)
    text = str({"descr": "<f4", "fortran_order": False, "shape": (10**12,)}).encode().ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0/input/x.npy", header + len(text).to_bytes(2, "little") + text)


@pytest.mark.attack("the model's own code")
@pytest.mark.parametrize(
    "write",
    [
        _fifo,
        Path.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.write_bytes(b"PK nonsense"),
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, x=np.zeros(1)),
        lambda path: np.savez(path, **{"a/input/x": np.zeros(1)}),
        _claims_a_million_times_more,
    ],
)
def test_what_cannot_be_read_has_a_name(tmp_path: Path, write: Callable[[Path], object]) -> None:
    path = tmp_path / "reference.npz"
    write(path)
    with pytest.raises(WorkerError, match=r"`reference.npz`, which the model's own child left"):
        read_reference_data(path)
