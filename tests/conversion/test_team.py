"""The team's own conversion, by real scripts: which package is judged, and what its float32 twin is."""

import re
import shutil
from pathlib import Path
from typing import Any

import coremltools as ct
import pytest

from coreml_gate.config import ModelInput
from coreml_gate.conversion import Conversion
from coreml_gate.mil.package import read_package
from coreml_gate.mil.to_float32 import half_operations
from tests.conversion.conftest import MakeBench, saved

X = (ModelInput(name="x", shape=(1, 4)),)
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc(x).relu()
"""
SCRIPT = """
import coremltools as ct
import torch

def package(module, **options):
    traced = torch.jit.trace(module, torch.zeros(1, 4))
    inputs = [ct.TensorType(name="x", shape=(1, 4))]
    outputs = [ct.TensorType(name="scores")]
    target = ct.target.iOS16
    return ct.convert(traced, inputs=inputs, outputs=outputs, minimum_deployment_target=target,
                      skip_model_load=True, **options)
"""
TAKES_PRECISION = """
def to_coreml(module, compute_precision=None):
    assert not module.training
    return package(module, compute_precision=compute_precision)
"""
SAVES = """
from net import Net
def to_coreml():
    package(Net().eval()).save("{folder}/exported.mlpackage")
    return "exported.mlpackage"
"""


def _export(bench: MakeBench, text: str, **options: Any) -> Conversion:
    (bench.root / "tools").mkdir(exist_ok=True)
    (bench.root / "tools" / "export.py").write_text(SCRIPT + text, encoding="utf-8")
    return bench(NET, input=X, convert="tools/export.py:to_coreml", **options).convert()


def _operations(path: Path | None) -> list[str]:
    return saved(path).operations


def test_a_callable_that_takes_the_module_and_a_precision(bench: MakeBench) -> None:
    done = _export(bench, TAKES_PRECISION)
    facts = done.facts
    assert (facts.status, facts.route, facts.maker) == ("converted", "none", "tools/export.py:to_coreml")
    assert (facts.twin, facts.notes) == ("called-again", ())
    package = saved(done.package)
    assert package.spec.specificationVersion == 7, "the team's target, not the configuration's"
    assert list(package.outputs) == ["scores"]
    assert half_operations(read_package(done.package))  # type: ignore[arg-type]
    assert not half_operations(read_package(done.reference))  # type: ignore[arg-type]


def test_a_callable_without_arguments_that_returns_a_path(bench: MakeBench) -> None:
    done = _export(bench, SAVES.format(folder=bench.root))
    assert (done.facts.status, done.facts.twin, done.facts.route) == ("converted", "gate", "export")
    assert done.package == bench.root / "out" / "package.mlpackage"
    assert saved(done.package).spec.specificationVersion == 7
    assert saved(done.reference).spec.specificationVersion == 8, "converted by the gate, for iOS17"
    assert done.graph is not None
    assert done.graph.is_file()
    assert not (bench.root / "out" / "gate").exists()


def test_a_package_that_computes_something_else_is_its_own_twin(bench: MakeBench) -> None:
    """Else the gate would blame half precision for what the script does wrong."""
    wrong = "def to_coreml(module):\n    module.fc.weight.mul_(3)\n    return package(module)\n"
    done = _export(bench, wrong)
    assert done.facts.twin == "widened"
    assert done.reference == done.package
    (note,) = done.facts.notes
    assert note.startswith("the gate's own conversion of the source computes something else than the package")


def test_the_script_cannot_change_the_source(bench: MakeBench) -> None:
    wrong = "def to_coreml(module):\n    module.fc.weight.mul_(3)\n    return package(module)\n"
    (bench.root / "tools").mkdir()
    (bench.root / "tools" / "export.py").write_text(SCRIPT + wrong, encoding="utf-8")
    made = bench(NET, input=X, convert="tools/export.py:to_coreml")
    before = made.source.model.fc.weight.clone()  # type: ignore[union-attr, operator]
    made.convert()
    assert made.source.model.fc.weight.equal(before)  # type: ignore[union-attr, union-attr]


def test_a_package_in_float32_needs_no_twin(bench: MakeBench) -> None:
    text = "def to_coreml(module):\n    return package(module, compute_precision=ct.precision.FLOAT32)\n"
    done = _export(bench, text)
    assert (done.facts.twin, done.reference) == ("package", done.package)


def test_a_source_that_the_gate_cannot_convert(bench: MakeBench) -> None:
    """The team's script works around what the gate's conversion cannot do; its package is widened then."""
    text = """
def to_coreml(module):
    class Around(torch.nn.Module):
        def forward(self, x):
            return x * 2
    return package(Around())
"""
    (bench.root / "tools").mkdir()
    (bench.root / "tools" / "export.py").write_text(SCRIPT + text, encoding="utf-8")
    net = "class Net(nn.Module):\n    def forward(self, x):\n        return torch.special.i0(x)\n"
    done = bench(net, input=X, convert="tools/export.py:to_coreml").convert()
    assert done.facts.twin == "widened"
    assert done.facts.notes[0].startswith("the gate's own conversion of the source failed: ")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "def to_coreml(module, path):\n    pass\n",
            "takes 2 arguments (module, path), allowed is one",
            "default",
        ),
        ("def to_coreml():\n    return 3\n", "returned a `int`", "return the `MLModel`"),
        ("def to_coreml():\n    return 'nowhere.mlpackage'\n", "returned `nowhere.mlpackage`", "return the"),
        ("def to_coreml():\n    raise ValueError('no')\n", "raised ValueError: no (tools/export.py:", ""),
        ("def convert():\n    pass\n", "there is no `to_coreml`", "name a function"),
    ],
    ids=["two-arguments", "a-number", "no-package", "raises", "no-callable"],
)
def test_a_script_that_fails_is_a_failed_conversion(
    bench: MakeBench, text: str, message: str, hint: str
) -> None:
    facts = _export(bench, text).facts
    assert (facts.status, facts.maker) == ("failed", "tools/export.py:to_coreml")
    assert message in facts.message
    assert hint in facts.hint


def test_the_script_of_the_documentation(bench: MakeBench) -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-conversion.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (bench.root / "tools").mkdir()
    (bench.root / "tools" / "export.py").write_text(code, encoding="utf-8")
    net = "class Net(nn.Module):\n    def forward(self, image):\n        return image.flatten(1).cos()\n"
    inputs = (ModelInput(name="image", shape=(1, 1, 8, 8)),)
    done = bench(net, input=inputs, convert="tools/export.py:to_coreml").convert()
    assert (done.facts.status, done.facts.twin, done.facts.message) == ("converted", "called-again", "")


BUILD = SCRIPT + 'from net import Net\npackage(Net().eval()).save("build/Net.mlpackage")\n'
ENDS = 'import sys\nprint("working on it")\nsys.exit(int(sys.argv[1]))\n'


def _build(bench: MakeBench, *command: str) -> Conversion:
    (bench.root / "export.py").write_text(BUILD, encoding="utf-8")
    (bench.root / "ends.py").write_text(ENDS, encoding="utf-8")
    return bench(NET, input=X, package="build/Net.mlpackage", build=command).convert()


def _built_before(bench: MakeBench) -> Path:
    done = _export(bench, SAVES.format(folder=bench.root))
    assert done.package is not None
    target = bench.root / "build" / "Net.mlpackage"
    target.parent.mkdir()
    return Path(shutil.move(done.package, target))


def test_a_command_that_writes_the_package(bench: MakeBench) -> None:
    """``python`` is the gate's own environment, in the tree."""
    done = _build(bench, "python", "export.py")
    assert (done.facts.status, done.facts.maker, done.facts.twin) == (
        "converted",
        "build/Net.mlpackage",
        "gate",
    )
    assert _operations(done.package) == _operations(bench.root / "build/Net.mlpackage")


def test_a_package_without_a_command(bench: MakeBench) -> None:
    _built_before(bench)
    assert _build(bench).facts.status == "converted"


def test_a_command_that_fails(bench: MakeBench) -> None:
    facts = _build(bench, "python", "ends.py", "3").facts
    assert facts.status == "failed"
    assert facts.message == "`build` (`python ends.py 3`) ended with exit code 3: working on it."


def test_a_command_that_is_not_there(bench: MakeBench) -> None:
    facts = _build(bench, "no-such-exporter").facts
    assert facts.message == "`build` cannot run `no-such-exporter`: No such file or directory."


def test_a_command_that_writes_elsewhere_leaves_no_old_package_to_judge(bench: MakeBench) -> None:
    _built_before(bench)
    facts = _build(bench, "python", "ends.py", "0").facts
    assert facts.status == "failed"
    assert "wrote nothing to `build/Net.mlpackage`" in facts.message


def test_a_command_that_writes_no_package(bench: MakeBench) -> None:
    facts = _build(bench, "python", "ends.py", "0").facts
    assert "`build/Net.mlpackage` does not exist after `build`" in facts.message


def test_a_package_in_git_lfs_that_was_not_fetched(bench: MakeBench) -> None:
    weights = _built_before(bench) / "Data/com.apple.CoreML/weights/weight.bin"
    weights.parent.mkdir(exist_ok=True)
    weights.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 132000000\n", encoding="utf-8"
    )
    facts = _build(bench).facts
    assert facts.message == (
        "`Net.mlpackage` holds `weight.bin`, which is a Git LFS pointer: its 132.0 MB were not fetched."
    )
    assert "git lfs pull" in facts.hint


def test_coremltools_is_called_as_the_script_calls_it(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the gate's own options reaches the team's conversion."""
    seen: list[dict[str, Any]] = []
    convert = ct.convert

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(options)
        return convert(*args, **options)

    monkeypatch.setattr(ct, "convert", watched)
    _export(bench, TAKES_PRECISION)
    assert [options["compute_precision"] for options in seen] == [None, ct.precision.FLOAT32]
    assert {tuple(sorted(options)) for options in seen} == {
        ("compute_precision", "inputs", "minimum_deployment_target", "outputs", "skip_model_load")
    }
