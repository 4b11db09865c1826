"""Classifiers: labels are compared exactly, scores as numbers, whatever order a dictionary has."""

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch

from coreml_gate.checks import precision
from coreml_gate.comparing.compare import compare
from coreml_gate.engines.engine import as_array
from coreml_gate.engines.mil import load_mil_engine
from coreml_gate.mil.package import read_package
from coreml_gate.verdict import Status
from tests.builders import model_config, model_record
from tests.checks.cases import evidence

LABELS: dict[str, list[Any]] = {
    "text": ["hen", "cat", "dog"],
    "numbers": [30, 10, 20],
    "text that looks like numbers": ["2", "10", "1"],
}


class Classifier(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x * 3, 1)


@pytest.mark.filterwarnings("ignore:Output, .* of the source model")
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_a_classifier_runs_and_gives_label_and_scores(labels: list[Any], tmp_path: Path) -> None:
    x = torch.tensor([[0.1, 0.9, 0.4]])
    ct.convert(
        torch.jit.trace(Classifier().eval(), x),
        inputs=[ct.TensorType(name="x", shape=x.shape)],
        classifier_config=ct.ClassifierConfig(labels),
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    ).save(str(tmp_path / "cls.mlpackage"))
    engine = load_mil_engine(read_package(tmp_path / "cls.mlpackage"), "fp32", None, model_config())
    label, scores = engine.run({"x": x}).values()
    assert [str(each) for each in label.ravel()] == [str(labels[1])]
    order = sorted(range(3), key=lambda place: str(labels[place]))
    np.testing.assert_allclose(scores, torch.softmax(x * 3, 1)[0, order], rtol=1e-6)
    same = compare("label", 0, label, label, ("fp32", "fp16"))
    assert (same.unequal, same.labels, same.psnr) == (0, None, None)


def test_another_label_is_named_on_both_sides() -> None:
    changed = compare("label", 2, as_array("cat"), as_array("dog"), ("fp32", "fp16"))
    assert (changed.unequal, changed.labels) == (1, ("cat", "dog"))
    (finding,) = precision.run(evidence(model_record(precision=(changed,))))
    assert finding.status is Status.UNSURE
    assert finding.message.startswith(
        "output `label` may be wrong in FP16: label `dog` in sample 2, the float32 package gives `cat` "
        "(1 of 1 samples differ)"
    )
    assert finding.details[-1] == "sample 2: label `dog`, not `cat`, no finite difference"


def test_scores_are_numbers_in_the_order_of_their_labels() -> None:
    np.testing.assert_array_equal(as_array({"b": 0.25, "a": 0.75}), [0.75, 0.25])
    one, other = as_array({"a": 0.75, "b": 0.25}), as_array({"b": 0.25, "a": 0.75})
    assert compare("scores", 0, one, other, ("fp32", "fp16")).max_abs_error == 0
