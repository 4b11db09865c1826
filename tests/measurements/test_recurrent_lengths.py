"""Recurrent networks over sequences of any length are measured, whatever loop the converter writes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.config import ModelInput
from tests.reported import measured

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.r = nn.{layer}

    def forward(self, x):
        return self.r(x)[0]


def build():
    return Net().eval()


def samples():
    for length in (5, 3, 9):
        yield torch.randn(1, length, 8)
"""


@pytest.mark.parametrize(
    "layer",
    [
        "GRU(8, 6, batch_first=True)",
        "GRU(8, 6, num_layers=2, batch_first=True)",
        "RNN(8, 6, batch_first=True)",
        "LSTM(8, 6, batch_first=True)",
    ],
)
def test_memory_and_numbers_are_told_at_all_lengths(
    job_of: Callable[..., ModelJob], tree: Path, layer: str
) -> None:
    (tree / "models" / "net.py").write_text(NET.format(layer=layer), encoding="utf-8")
    declared = ModelInput.model_validate({"name": "x", "shape": [1, [2, 16], 8]})
    record = measured(job_of(input=(declared,), adversarial=False))
    assert (record.problem, record.refused_shapes) == (None, ())
    assert max(each.relative_error for each in record.parity) < 1e-5
    assert [each.sample for each in record.parity] == [0, 1, 2]
    assert record.memory is not None
    peaks = {each.shape: each.activation_bytes for each in record.memory.other_shapes}
    assert peaks.keys() == {"x (1, 2, 8)", "x (1, 16, 8)"}
    assert (peaks["x (1, 16, 8)"] or 0) > record.memory.activation_bytes > (peaks["x (1, 2, 8)"] or 0) > 0
