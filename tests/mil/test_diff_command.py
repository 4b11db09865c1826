"""`coreml-gate diff` on two saved packages."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder

from coreml_gate.cli import main
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings


def save(path: Path, *, gelu: bool, scale: float) -> None:
    weight = np.linspace(-scale, scale, 32 * 32, dtype=np.float32).reshape(32, 32)

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 32))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        x = Builder.linear(x=x, weight=weight, name="line")
        x = Builder.gelu(x=x, mode="EXACT", name="bend") if gelu else Builder.relu(x=x, name="bend")
        return Builder.softmax(x=x, axis=1, name="answer")

    ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True).save(str(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("packages")
    save(made / "a.mlpackage", gelu=False, scale=1)
    save(made / "b.mlpackage", gelu=True, scale=2)
    return made


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    around = Surroundings(folder, {}, Screen(out), Screen(err))
    return main(("diff", *arguments), around), out.getvalue(), err.getvalue()


def test_people_read_what_happened_and_how_to_look_at_it(folder: Path) -> None:
    code, out, _ = run(folder, "a.mlpackage", "b.mlpackage")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "5 operations: 1 replaced, 1 with other weights."
    assert "replaced 1 relu as gelu" in lines[1]
    assert "netron b.mlpackage/Data/com.apple.CoreML/model.mlmodel" in lines[-1]
    assert (folder / "b.mlpackage" / "Data" / "com.apple.CoreML" / "model.mlmodel").is_file()


def test_machines_get_every_change(folder: Path) -> None:
    _, out, _ = run(folder, "a.mlpackage", "b.mlpackage", "--json")
    found = json.loads(out)
    assert found["counts"] == {"replaced": 1, "weights": 1}
    assert {change["kind"] for change in found["changes"]} == {"replaced", "weights"}


def test_a_package_that_is_not_there(folder: Path) -> None:
    code, _, err = run(folder, "a.mlpackage", "c.mlpackage")
    assert code == 8
    assert "c.mlpackage" in err
