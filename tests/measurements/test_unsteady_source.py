"""A source that answers the same sample otherwise when it runs again: its own doing, and no rounding."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.diagnose.parity_failure import Suspect
from coreml_gate.measurements import parity_fault
from coreml_gate.measurements.bench import Bench
from coreml_gate.record import FirstWrong, ParityDiagnosis
from tests.reported import reported

pytestmark = pytest.mark.attack("the model's own code")
NET = """
import itertools
import random

import numpy as np
import torch

calls = itertools.count()


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.zeros(1, 4)
        self.register_buffer("state", torch.zeros(1, 4))

    def forward(self, x):
        {forward}


def build():
    return Net()


def samples():
    return [torch.full((1, 4), float(value)) for value in (1, 2, 3)]
"""
DRAWING = ["return x * (1 + 1e-4 * random.random())", "return x * (1 + 1e-4 * np.random.rand())"]
"""Of generators that every run seeds alike, while a conversion draws what comes next."""
UNSTEADY = [
    "return x * (1 + 1e-4 * next(calls))",
    "self.last = self.last + 1e-4 * x; return x + self.last.to(x)",
    "self.last.add_(1e-4); return self.last + x",
]
STEADY = [
    "return x * (1 + 1e-4 * torch.rand(1).item())",
    "self.state = self.state + x; return self.state",
    "self.last = x; return self.last",
]
BenchOf = Callable[[str], Bench]


@pytest.fixture
def bench_of(job_of: Callable[..., ModelJob], tree: Path) -> BenchOf:
    def make(forward: str) -> Bench:
        (tree / "models" / "net.py").write_text(NET.format(forward=forward))
        return Bench(job_of())

    return make


@pytest.mark.parametrize("forward", UNSTEADY)
def test_what_changes_from_run_to_run_is_no_rounding_that_excuses_a_difference(
    bench_of: BenchOf, forward: str
) -> None:
    assert bench_of(forward).reference.floors == {}


@pytest.mark.parametrize("forward", STEADY)
def test_a_steady_source_keeps_its_floor(bench_of: BenchOf, forward: str) -> None:
    assert set(bench_of(forward).reference.known_floors) == {"scores"}


def fault_of(bench: Bench) -> ParityDiagnosis | None:
    """What is said of a package that differs, however it was made."""
    packages = SimpleNamespace(route="export", route_taken="export")
    suspect = Suspect("samples", bench.reference.samples.samples[0], 0, 1.0)
    bench.__dict__.update(packages=packages, loaded=None, failing=(suspect,))
    events = reported(bench.job, lambda: parity_fault.run(bench, EventLog(bench.job.folder)))
    return events.parts.get(ParityDiagnosis)


@pytest.mark.parametrize("forward", [each.replace("1e-4", "0.1") for each in (*UNSTEADY, *DRAWING)])
def test_an_unsteady_source_is_said_to_be_one(bench_of: BenchOf, forward: str) -> None:
    found = fault_of(bench_of(forward))
    assert found is not None
    assert found.first_wrong.unsteady
    assert "registered buffer" in found.first_wrong.hint
    assert found.other_route is None


@pytest.mark.parametrize("forward", STEADY)
def test_of_a_steady_source_the_operation_is_looked_for(
    bench_of: BenchOf, forward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ParityDiagnosis(found_on="samples", sample=0, first_wrong=FirstWrong(reason="looked for"))
    monkeypatch.setattr("coreml_gate.diagnose.parity_diagnosis.diagnose_parity", lambda *_: answer)
    assert fault_of(bench_of(forward)) == answer
