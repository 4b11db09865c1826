"""Variants of one source share its run; whatever happens to one leaves the others and the model alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.children.process import ProcessLimits
from coreml_gate.config import ModelVariant
from coreml_gate.config.inherit import configured
from coreml_gate.record import ModelRecord
from coreml_gate.worker.models import measure_with_variants
from coreml_gate.worker.supervisor import Supervisor
from tests.warm import ENVIRONMENT, WARM

JobOf = Callable[..., ModelJob]
NET = """
import pathlib

import torch


class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = torch.nn.Linear(64, width)
        self.second = torch.nn.Linear(width, 8)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def build(width=64):
    with pathlib.Path("built.txt").open("a") as file:
        file.write(f"{width} ")
    torch.manual_seed(0)
    return Net(width)


def narrow():
    return build(16)


def samples():
    torch.manual_seed(1)
    return [torch.randn(1, 64) for _ in range(2)]


def evaluate(predict):
    return {"mean": float(sum(predict(x)["scores"].mean() for x in samples()))}
"""


def variant(name: str, **options: object) -> ModelVariant:
    return ModelVariant.model_validate({"name": name, **options})


@pytest.fixture
def measured(job_of: JobOf, tree: Path) -> Callable[..., ModelRecord]:
    (tree / "models" / "net.py").write_text(NET)

    def measure(*variants: ModelVariant) -> ModelRecord:
        job = job_of(evaluate="models/net.py:evaluate", adversarial=False)
        configs = tuple(configured(job.model, each) for each in variants)
        return measure_with_variants(job, configs, Supervisor(ENVIRONMENT, ProcessLimits(600), start=WARM))

    return measure


def compressed(method: str, **options: object) -> dict[str, object]:
    return {"method": method, "weight_threshold": 0, **options}


def test_variants_of_one_source_share_its_run_and_are_measured_like_models(
    measured: Callable[..., ModelRecord], tree: Path
) -> None:
    record = measured(
        variant("palette", compress=compressed("palettize", bits=4)),
        variant("pruned", compress=compressed("prune", sparsity=0.75)),
        variant("wide", precision="float32"),
        variant("narrow", source="models/net.py:narrow"),
    )

    assert (tree / "built.txt").read_text() == "64 16 "
    palette, pruned, _, narrow = record.variants
    assert [each.problem for each in (record, *record.variants)] == [None] * 5
    assert record.package is not None
    sizes = {each.name: each.package.weight_bytes for each in (record, *record.variants) if each.package}
    assert sizes["palette"] < sizes["pruned"] < sizes["net"] < sizes["wide"]
    assert sizes["narrow"] < sizes["net"] / 3
    assert palette.package is not None
    assert palette.package.path == "models/net/variants/palette/package.mlpackage"
    assert pruned.compression is not None
    assert all(layer.compressed for layer in pruned.compression.layers)
    assert palette.precision[0].psnr is not None
    assert record.precision[0].psnr is not None
    assert palette.precision[0].psnr < record.precision[0].psnr - 10
    assert next((metric.side, metric.value) for metric in palette.metrics) == (
        "source",
        record.metrics[0].value,
    )
    assert [metric.side for metric in palette.metrics] == ["source", "fp16"]
    assert narrow.source is not None
    assert narrow.source.parameters == 64 * 16 + 16 + 16 * 8 + 8
    assert all(each.outline == () for each in record.variants)


def test_a_variant_that_cannot_be_made_says_why_and_the_next_one_is_measured(
    measured: Callable[..., ModelRecord],
) -> None:
    record = measured(
        variant("old", deployment_target="iOS15", compress=compressed("palettize", bits=4)),
        variant("lost", source="models/net.py:gone"),
        variant("small", compress=compressed("linear-int8")),
    )

    old, lost, small = record.variants
    assert old.conversion is not None
    assert old.conversion.status == "failed"
    assert "raises the package's specification version" in old.conversion.message
    assert lost.problem is not None
    assert lost.problem.exit_code == 5
    assert small.compression is not None
    assert record.problem is None


def test_a_variant_that_takes_the_process_down_leaves_what_was_measured_before(
    measured: Callable[..., ModelRecord], tree: Path
) -> None:
    (tree / "models" / "net.py").write_text(
        NET.replace(
            "def evaluate(predict):",
            "calls = []\n\n\ndef evaluate(predict):\n    calls.append(1)\n    if len(calls) == 5:\n"
            "        import os\n        os.abort()\n",
        )
    )

    record = measured(
        variant("first", compress=compressed("linear-int8")),
        variant("second", compress=compressed("palettize", bits=4)),
        variant("third", precision="float32"),
    )

    first, second, third = record.variants
    assert record.problem is None
    assert first.metrics
    assert second.problem is not None
    assert "model `net`, variant `second`: the child process crashed" in second.problem.message
    assert second.precision
    assert third.problem is not None
    assert "stopped at its variant `second`" in third.problem.message
