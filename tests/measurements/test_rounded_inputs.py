"""Float16 inputs: the source sees what the app has, the package what its input makes of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.checks import parity
from coreml_gate.children.job import ModelJob
from coreml_gate.config import ModelInput
from coreml_gate.record import ModelRecord
from coreml_gate.verdict import Status
from tests.checks.cases import evidence
from tests.reported import measured

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding({rows}, 4)
        self.line = nn.Linear(6, 4)

    def forward(self, x):
        return {body}


def build():
    return Net().eval()


def samples():
    for _ in range(2):
        yield {sample}
"""


@pytest.fixture
def record_of(job_of: Callable[..., ModelJob], tree: Path) -> Callable[..., ModelRecord]:
    def make(body: str, sample: str, rows: int = 9000) -> ModelRecord:
        text = NET.format(body=body, sample=sample, rows=rows)
        (tree / "models" / "net.py").write_text(text, encoding="utf-8")
        item = ModelInput(name="x", dtype="float16")
        return measured(job_of(input=(item,), adversarial=False))

    return make


def test_ids_beyond_2048_read_other_rows(record_of: Callable[..., ModelRecord]) -> None:
    record = record_of("self.table(x.long())", "torch.tensor([[3.0, 5001.0]])")
    assert record.input_rounding is not None
    (item,) = record.input_rounding.inputs
    assert (item.place.index, item.place.reference, item.place.candidate) == ((0, 1), 5001.0, 5000.0)
    wrong = [each for each in parity.run(evidence(record)) if each.status is Status.FAIL]
    assert [each.subject for each in wrong] == ["x"]
    assert max(each.relative_error for each in record.parity) == 0.0


def test_an_id_that_is_rounded_past_the_table_fails_as_well(record_of: Callable[..., ModelRecord]) -> None:
    record = record_of("self.table(x.long())", "torch.tensor([[3.0, 4999.0]])", rows=5000)
    assert record.problem is None
    assert record.input_rounding is not None
    assert record.input_rounding.inputs[0].place.candidate == 5000.0
    assert "index out of range" in record.input_rounding.refused


def test_rounded_numbers_are_no_fault(record_of: Callable[..., ModelRecord]) -> None:
    record = record_of("torch.relu(self.line(x))", "torch.linspace(0.1, 3.0, 6)[None]")
    assert record.input_rounding is not None
    assert [each for each in parity.run(evidence(record)) if each.status is not Status.PASS] == []


def test_halves_lose_nothing(record_of: Callable[..., ModelRecord]) -> None:
    record = record_of("torch.relu(self.line(x))", "torch.arange(6.0)[None]")
    assert record.input_rounding is None
