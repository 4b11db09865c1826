"""Do samples and answers come back as they were written?"""

from pathlib import Path

import numpy as np

from coreml_gate.children.reference_data import (
    ReferenceSample,
    read_answers,
    read_reference_data,
    write_answers,
    write_reference_data,
)


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
