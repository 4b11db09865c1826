import subprocess
import sys
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest

from coreml_gate.diagnose.reproducer import reproduce
from coreml_gate.errors import UsageError
from coreml_gate.runtime.model import load
from tests.diagnose.conftest import RMS, MakeBench

SELECT = """
class Net(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x * 2, x - 1)

def samples():
    return [torch.linspace(-1, 1, 6)[None]]
"""


def test_an_operation_alone_with_the_inputs_on_which_it_does_worst(bench: MakeBench, tmp_path: Path) -> None:
    case = bench(RMS).case
    error = reproduce(case.twin, "pow_1", case.inputs, tmp_path / "pow")
    assert error >= 1e9
    inputs = dict(np.load(tmp_path / "pow/inputs.npz"))
    assert list(inputs) == ["x"]
    assert np.abs(inputs["x"]).max() > 256
    expected = np.load(tmp_path / "pow/expected.npz")["pow_1"]
    np.testing.assert_allclose(expected, inputs["x"].astype(np.float64) ** 2, rtol=1e-6)
    assert np.isinf(load(tmp_path / "pow/operation.mlpackage").predict(inputs)["pow_1"]).any()


@pytest.mark.parametrize(("text", "name"), [(RMS, "linear"), (RMS, "mul"), (SELECT, "y")])
def test_the_package_is_one_that_coremltools_reads(
    bench: MakeBench, tmp_path: Path, text: str, name: str
) -> None:
    case = bench(text).case
    error = reproduce(case.twin, name, case.inputs, tmp_path / name)
    assert error < 1e-2
    spec = ct.models.MLModel(str(tmp_path / name / "operation.mlpackage"), skip_model_load=True).get_spec()
    assert [feature.name for feature in spec.description.output] == [name]
    assert not list((tmp_path / name).rglob("weight.bin"))


def test_the_script_is_short_and_compiles(bench: MakeBench, tmp_path: Path) -> None:
    case = bench(SELECT).case
    reproduce(case.twin, "y", case.inputs, tmp_path / "made")
    script = tmp_path / "made/reproduce.py"
    assert len(script.read_text().splitlines()) <= 10
    subprocess.run([sys.executable, "-m", "py_compile", str(script)], check=True)


def test_a_name_that_is_none_gets_similar_ones(bench: MakeBench, tmp_path: Path) -> None:
    case = bench(RMS).case
    with pytest.raises(UsageError, match=r"no operation `pow`\.\nHint: similar are `pow_"):
        reproduce(case.twin, "pow", case.inputs, tmp_path / "made")
