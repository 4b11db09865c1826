"""What is measured of a package that the team's own script makes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coreml_gate.checks import parity
from coreml_gate.children.job import ModelJob
from coreml_gate.record import FoundWeights, ModelRecord
from tests.checks.cases import evidence
from tests.reported import measured, psnrs

JobOf = Callable[..., ModelJob]
SCRIPT = """
import coremltools as ct
import torch


def to_coreml(module{arguments}):
    {before}
    traced = torch.jit.trace(module, torch.zeros(1, 4))
    inputs = [ct.TensorType(name="{name}", shape=(1, 4))]
    return ct.convert(traced, inputs=inputs, skip_model_load=True{options})
"""

TWO_OUTPUTS = """
import coremltools as ct
import torch


class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.line = torch.nn.Linear(4, 6)

    def forward(self, x):
        start, end = self.line(x).chunk(2, 1)
        return start, end


def build():
    return Two()


def to_coreml(module):
    traced = torch.jit.trace(module, torch.zeros(1, 4))
    inputs = [ct.TensorType(name="x", shape=(1, 4))]
    outputs = [ct.TensorType(name="end"), ct.TensorType(name="start")]
    return ct.convert(traced, inputs=inputs, outputs=outputs, skip_model_load=True)
"""


FUNCTIONS = """
from pathlib import Path

import coremltools as ct
import torch


def to_coreml(module):
    both, folder = ct.utils.MultiFunctionDescriptor(), Path(__file__).parent
    for size, name in ((1, "one"), (4, "four")):
        traced = torch.jit.trace(module, torch.zeros(size, 4))
        module = torch.nn.Sequential(module, torch.nn.Linear(3, 3))
        inputs, target = [ct.TensorType(name="pixels", shape=(size, 4))], ct.target.iOS18
        made = ct.convert(traced, inputs=inputs, minimum_deployment_target=target, skip_model_load=True)
        made.save(str(folder / f"{name}.mlpackage"))
        both.add_function(str(folder / f"{name}.mlpackage"), "main", name)
    both.default_function_name = "DEFAULT"
    ct.utils.save_multifunction(both, str(folder / "both.mlpackage"))
    return "both.mlpackage"
"""


@pytest.fixture
def judged(job_of: JobOf, tree: Path) -> Callable[..., ModelRecord]:
    def judge(before: str = "pass", name: str = "x", arguments: str = "", options: str = "") -> ModelRecord:
        text = SCRIPT.format(before=before, name=name, arguments=arguments, options=options)
        (tree / "export.py").write_text(text, encoding="utf-8")
        return measured(job_of(convert="export.py:to_coreml", evaluate="models/net.py:evaluate"))

    return judge


def test_the_teams_package_is_measured_in_every_part(judged: Callable[..., ModelRecord]) -> None:
    precision = ", compute_precision"
    record = judged(name="pixels", arguments=f"{precision}=None", options=f"{precision}=compute_precision")
    assert record.problem is None
    assert record.conversion is not None
    assert record.conversion.twin == "called-again"
    assert record.package is not None
    assert [feature.name for feature in record.package.inputs] == ["pixels"], "not the source's name"
    assert len(record.parity) == len(record.precision) == 3
    assert max(item.relative_error for item in record.parity) < 1e-5
    least, most = psnrs(record.precision)
    assert 40 < least <= most < 90
    assert [metric.side for metric in record.metrics] == ["source", "fp32", "fp16"]
    assert record.memory is not None


def test_what_the_script_does_wrong_fails_parity_and_not_precision(
    judged: Callable[..., ModelRecord],
) -> None:
    record = judged(before="module.line.bias.add_(5)")
    assert record.conversion is not None
    assert record.conversion.twin == "widened"
    assert min(item.relative_error for item in record.parity) > 0.1
    assert psnrs(record.precision)[0] > 40


def test_a_script_that_fails_leaves_a_failed_conversion(judged: Callable[..., ModelRecord]) -> None:
    record = judged(before="raise RuntimeError('no licence')")
    assert record.package is None
    assert record.conversion is not None
    assert record.conversion.status == "failed"
    assert "no licence (export.py:7)" in record.conversion.message


def test_other_weights_in_the_teams_package_are_said(judged: Callable[..., ModelRecord]) -> None:
    record = judged(before="module.line.weight.mul_(3)")
    assert record.conversion is not None
    assert record.conversion.weights == FoundWeights(matrices=1, found=0)
    (finding,) = parity.run(evidence(record))
    assert finding.hint.startswith("0 of 1 weight matrices of the source are in the package that `export.py:")


def test_the_scores_of_a_classifier_are_compared_in_the_order_of_its_classes(
    judged: Callable[..., ModelRecord],
) -> None:
    record = judged(options=', classifier_config=ct.ClassifierConfig(["owl", "cat", "dog"])')
    assert record.problem is None
    assert record.conversion is not None
    assert record.conversion.weights == FoundWeights(matrices=1, found=1)
    assert {item.output for item in record.parity} == {"scores"}
    assert max(item.relative_error for item in record.parity) < 1e-5


def test_a_small_mistake_of_the_script_is_none_of_half_precision(judged: Callable[..., ModelRecord]) -> None:
    """One percent is more than rounded weights cost: the gate's own twin would hide it from parity."""
    record = judged(before="module.line.bias.add_(0.01)")
    assert record.conversion is not None
    assert record.conversion.twin == "widened"
    assert 0.002 < max(item.relative_error for item in record.parity) < 0.05


def test_rounded_weights_are_no_mistake_of_the_script(judged: Callable[..., ModelRecord]) -> None:
    record = judged()
    assert record.conversion is not None
    assert record.conversion.twin == "gate"


def test_outputs_go_by_their_names_and_a_mistake_of_the_script_is_named(job_of: JobOf, tree: Path) -> None:
    (tree / "export.py").write_text(TWO_OUTPUTS, encoding="utf-8")
    given = {"convert": "export.py:to_coreml", "source": "export.py:build", "output": ("start", "end")}
    record = measured(job_of(**given))
    assert record.problem is None
    assert record.parity_diagnosis is not None
    assert record.parity_diagnosis.instead == (
        "the source with its outputs exchanged, `start` under the name `end` and `end` under the name `start`"
    )
    findings = parity.run(evidence(record))
    assert [finding.subject for finding in findings] == ["start", "end"]
    assert all(
        "The package computes the source with its outputs exchanged" in each.message for each in findings
    )


def test_inputs_of_other_names_go_by_position_to_the_gates_own_twin(
    judged: Callable[..., ModelRecord],
) -> None:
    """Without that twin, weights that were rounded to halves would count as a fault of the conversion."""
    record = judged(name="pixels")
    assert record.problem is None
    assert record.conversion is not None
    assert (record.conversion.twin, record.conversion.notes) == ("gate", ())
    assert max(item.relative_error for item in record.parity) < 1e-5
    assert all(item.psnr is not None and 40 < item.psnr < 90 for item in record.precision)


def test_a_default_function_that_takes_other_inputs_names_the_other_function(
    job_of: JobOf, tree: Path
) -> None:
    (tree / "export.py").write_text(FUNCTIONS.replace("DEFAULT", "four"), encoding="utf-8")
    record = measured(job_of(convert="export.py:to_coreml"))
    assert record.problem is not None
    assert record.problem.message == "input `pixels`: its shape is (1, 4), wanted (4, 4)."
    assert record.problem.hint == (
        "function `four` of the package was run, which also has `one`: if another one is meant, choose it: "
        '`function = "one"`.'
    )


@pytest.mark.parametrize("function", [None, "one"])
def test_the_function_that_the_source_is_has_the_gates_own_twin(
    job_of: JobOf, tree: Path, function: str | None
) -> None:
    default = "one" if function is None else "four"
    (tree / "export.py").write_text(FUNCTIONS.replace("DEFAULT", default), encoding="utf-8")
    record = measured(job_of(convert="export.py:to_coreml", function=function))
    assert record.problem is None
    assert record.conversion is not None
    assert record.conversion.twin == "gate"
    assert record.package is not None
    assert (record.package.function, record.package.other_functions) == ("one", ("four",))
    assert max(item.relative_error for item in record.parity) < 1e-5


def test_a_default_function_that_computes_something_else_names_the_other_function(
    job_of: JobOf, tree: Path
) -> None:
    text = FUNCTIONS.replace('(4, "four")', '(1, "four")')
    (tree / "export.py").write_text(text.replace("DEFAULT", "four"), encoding="utf-8")
    record = measured(job_of(convert="export.py:to_coreml"))
    (finding,) = parity.run(evidence(record))
    assert finding.hint.startswith("function `four` of the package was run, which also has `one`: ")
