"""Do samples and answers come back as they were written?"""

from pathlib import Path

import numpy as np

from coreml_gate.worker.expected import (
    ExpectedSample,
    read_answers,
    read_expected,
    write_answers,
    write_expected,
)


def test_samples_keep_their_order_names_and_types(tmp_path: Path) -> None:
    samples = [
        ExpectedSample({"a/b": np.full((2,), index, np.int32)}, {"y": np.float32([index])}, {})
        for index in range(12)
    ]
    write_expected(tmp_path / "expected.npz", samples)
    read = read_expected(tmp_path / "expected.npz")
    assert [int(sample.inputs["a/b"][0]) for sample in read] == list(range(12))
    assert read[3].inputs["a/b"].dtype == np.int32
    assert read[3].source["y"] == 3
    assert read[3].fp16 == {}


def test_answers_keep_their_order(tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.npz", [{"y": np.array([index])} for index in range(11)])
    assert [int(answer["y"][0]) for answer in read_answers(tmp_path / "answers.npz")] == list(range(11))
