"""The same source through LiteRT: with a stand-in for its two calls, and with LiteRT itself where it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.conversion import litert as converting
from coreml_gate.conversion.litert import LiteRt
from coreml_gate.frozen import changed
from coreml_gate.measurements import litert as measurement
from coreml_gate.measurements.bench import Bench
from coreml_gate.record import LiteRtFacts
from tests.reported import reported

JobOf = Callable[..., ModelJob]


class Interpreter:
    """LiteRT's interpreter of the one module that was converted last."""

    module: torch.nn.Module
    outputs = 1

    def __init__(self, model_path: str) -> None:
        assert Path(model_path).read_bytes() == b"0123456789"

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        names = [f"output_{number}" for number in range(self.outputs)]
        return {"serving_default": {"inputs": ["args_0"], "outputs": names}}

    def get_signature_runner(self, name: str) -> Callable[..., dict[str, Any]]:
        assert name == "serving_default"
        return lambda args_0: {"output_0": self.module(torch.from_numpy(args_0)).numpy() + 0.25}


class Edge:
    def export(self, path: str) -> None:
        Path(path).write_bytes(b"0123456789")


def fake(outputs: int = 1) -> LiteRt:
    class Own(Interpreter):
        pass

    def convert(module: torch.nn.Module, sample: tuple[torch.Tensor, ...]) -> Edge:
        assert [tuple(value.shape) for value in sample] == [(1, 4)]
        Own.module, Own.outputs = module, outputs
        return Edge()

    return LiteRt(convert, Own, "litert-torch 1.0, ai-edge-litert 2.0")


def facts_of(job: ModelJob, litert: LiteRt | None = None) -> LiteRtFacts | None:
    events = reported(job, lambda: measurement.run(Bench(job), EventLog(job.folder), litert))
    return events.parts.get(LiteRtFacts)


def test_litert_is_compared_with_the_source_and_evaluated(job_of: JobOf) -> None:
    facts = facts_of(job_of(litert=True, evaluate="models/net.py:evaluate", adversarial=False), fake())

    assert facts is not None
    assert (facts.status, facts.size_bytes) == ("measured", 10)
    assert facts.versions == "litert-torch 1.0, ai-edge-litert 2.0"
    assert [(each.output, each.sample, each.candidate) for each in facts.against_source] == [
        ("scores", 0, "litert"),
        ("scores", 1, "litert"),
        ("scores", 2, "litert"),
    ]
    assert all(each.max_abs_error == pytest.approx(0.25) for each in facts.against_source)
    assert [(metric.name, metric.side) for metric in facts.metrics] == [("mean", "litert")]


def test_it_is_off_unless_a_model_asks_and_for_variants(job_of: JobOf) -> None:
    assert not measurement.wanted(job_of())
    assert measurement.wanted(job_of(litert=True))
    assert not measurement.wanted(changed(job_of(litert=True), variant_of="model"))


def test_what_is_not_installed_is_told_with_the_way_to_install_it(
    job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converting, "PACKAGES", ("no-such-converter", "numpy"))
    facts = facts_of(job_of(litert=True, adversarial=False))
    assert facts is not None
    assert facts.status == "not-installed"
    assert facts.message == "no-such-converter not installed: `pip install no-such-converter`."


@pytest.mark.parametrize(
    ("litert", "message"),
    [
        (fake(outputs=2), "LiteRT's file has 2 outputs, the source has 1."),
        (LiteRt(lambda *_: 1 / 0, Interpreter), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_source_that_litert_does_not_take_is_no_problem_of_the_model(
    job_of: JobOf, litert: LiteRt, message: str
) -> None:
    facts = facts_of(job_of(litert=True, adversarial=False), litert)
    assert facts == LiteRtFacts(status="failed", message=message)


def test_litert_itself_answers_like_the_source(job_of: JobOf) -> None:
    pytest.importorskip("litert_torch")
    facts = facts_of(job_of(litert=True, adversarial=False))
    assert facts is not None
    assert facts.status == "measured", facts.message
    assert max(each.relative_error for each in facts.against_source) < 1e-5
