"""Every allowed shape goes through source and package: models that keep the promise, and some that do not."""

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

JobOf = Callable[..., ModelJob]
RANGE = {"name": "x", "shape": [1, 4, [8, 64]]}
LISTED = {"name": "x", "shapes": [[1, 4, 32], [1, 4, 16], [1, 4, 48]]}
NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv1d(4, 8, 3, padding=1)

    def forward(self, x):
        y = self.c(x)
        {body}


def build():
    return Net().eval()


def samples():
    for length in {lengths}:
        yield torch.randn(1, 4, length)
"""
FROZEN = "return y.reshape(1, 16, int(x.shape[2]) // 2).mean(-1)"


@pytest.fixture
def record_of(job_of: JobOf, tree: Path) -> Callable[..., ModelRecord]:
    def make(body: str, declared: dict[str, object], lengths: tuple[int, ...] = (32, 32)) -> ModelRecord:
        text = NET.format(body=body, lengths=lengths)
        (tree / "models" / "net.py").write_text(text, encoding="utf-8")
        option = ModelInput.model_validate(declared)
        return measured(job_of(input=(option,), conversion="trace", adversarial=False))

    return make


def failures(record: ModelRecord) -> list[str]:
    return [each.message for each in parity.run(evidence(record)) if each.status is Status.FAIL]


def test_a_model_that_takes_every_length_has_nothing_to_say(record_of: Callable[..., ModelRecord]) -> None:
    record = record_of("return y.mean(-1)", RANGE)
    assert (record.problem, record.refused_shapes) == (None, ())
    assert failures(record) == []


@pytest.mark.parametrize(
    ("declared", "refused"),
    [
        (RANGE, ["x (1, 4, 8)", "x (1, 4, 64)", "x (1, 4, 36)"]),
        (LISTED, ["x (1, 4, 16)", "x (1, 4, 48)"]),
    ],
)
def test_a_size_that_the_trace_froze_fails_at_the_lengths_that_are_allowed(
    record_of: Callable[..., ModelRecord], declared: dict[str, object], refused: list[str]
) -> None:
    record = record_of(FROZEN, declared)
    assert [(each.shape, each.by) for each in record.refused_shapes] == [(it, "package") for it in refused]
    (message,) = failures(record)
    assert message.startswith(f"the package rejects `{refused[0]}`, ")
    assert "which the configuration allows and the source accepts: models/net.py:13: operation" in message


def test_samples_that_the_package_refuses_are_no_fault_of_the_source(
    record_of: Callable[..., ModelRecord],
) -> None:
    record = record_of(FROZEN, RANGE, lengths=(32, 64, 16))
    assert record.problem is None
    assert [each.shape for each in record.refused_shapes][:2] == ["x (1, 4, 64)", "x (1, 4, 16)"]
    assert all(each.operation and each.place.startswith("models/net.py:") for each in record.refused_shapes)
    assert {each.sample for each in record.parity} == {0}
    assert len(failures(record)) == 1


def test_a_length_that_the_source_alone_refuses_is_said(record_of: Callable[..., ModelRecord]) -> None:
    body = """if int(x.shape[2]) > 40:
            raise ValueError("too long")
        return y.mean(-1)"""
    record = record_of(body, RANGE)
    assert [(each.shape, each.by) for each in record.refused_shapes] == [("x (1, 4, 64)", "source")]
    said = next(each for each in parity.run(evidence(record)) if each.subject == "shapes")
    assert said.status is Status.WARN
    assert said.message.startswith("the source refuses `x (1, 4, 64)`, which the configuration allows")


def test_numbers_that_are_wrong_at_an_allowed_length_fail(record_of: Callable[..., ModelRecord]) -> None:
    """The trace keeps the length of its sample, and the package answers everywhere."""
    record = record_of("return y.sum(-1) / int(x.shape[2])", RANGE)
    assert max(each.relative_error for each in record.parity) < 1e-4
    (message,) = failures(record)
    assert message.startswith("with samples of shape (1, 4, 8), output `scores`: greatest difference ")
    assert "the conversion is wrong at 3 of 3 other shapes that the configuration allows" in message


def test_a_length_that_both_sides_refuse_is_said(record_of: Callable[..., ModelRecord]) -> None:
    record = record_of("return y + torch.ones(32)", RANGE)
    assert {each.by for each in record.refused_shapes} == {"both"}
    said = next(each for each in parity.run(evidence(record)) if each.subject == "shapes")
    assert said.status is Status.WARN
    assert said.message.startswith("source and package reject `x (1, 4, 8)`, `x (1, 4, 64)`, which the ")
