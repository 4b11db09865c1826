"""A damaged package through the command line: a message with its own exit code, whatever reads the package.

The fuzz calls what stands behind the commands twenty thousand times; here each command itself runs on one of
each damage, and those that measure in children on a few.
"""

import json
import random
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from coreml_gate.cli import main
from coreml_gate.errors import INTERNAL_ERROR_EXIT_CODE, ConfigError, PackageError, UsageError
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.fuzz.child import write
from tests.fuzz.forms import FORMS, float32_twin
from tests.fuzz.mutations import MUTATIONS
from tests.reliability import tried
from tests.warm import ENVIRONMENT, WARM

FEW = (
    "cut_specification",
    "twist_manifest",
    "huge_shape",
    "retype_operation",
    "damage_header",
    "leave_by_link",
)
ALL_REFUSALS = tuple(range(1, INTERNAL_ERROR_EXIT_CODE))
NET = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return x.mean((1, 2, 3)).softmax(0)

def build():
    return Net()

def samples():
    return [torch.ones(1, 3, 8, 8)]
"""
SOURCE = '[[model]]\nname = "net"\nsource = "net.py:build"\nsamples = "net.py:samples"\n'
PACKAGE = """
[[model]]
name = "{name}"
source = "{name}.mlpackage"
"""

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:.* of the source model, has been renamed:UserWarning",
        "ignore::torch.jit.TracerWarning",
    ),
    pytest.mark.attack("packages"),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = tmp_path_factory.mktemp("sound") / "dense.mlpackage"
    FORMS["dense"](package)
    return package


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = tmp_path_factory.mktemp("twin") / "dense.mlpackage"
    float32_twin(package)
    return package


def damaged(sound: Path, place: Path, damage: str) -> Path:
    write(sound, place, [damage], random.Random(damage))
    return place


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The exit code of the command, and what it printed on both streams."""
    out, err = StringIO(), StringIO()
    around = Surroundings(folder, ENVIRONMENT, Screen(out), Screen(err), WARM)
    return main(arguments, around), out.getvalue(), err.getvalue()


def check(code: int, err: str, *, refusals: tuple[int, ...]) -> None:
    """It worked on what the damage left, or it was refused with a message that has no traceback."""
    tried(1)
    assert code != INTERNAL_ERROR_EXIT_CODE, err
    assert "Traceback" not in err
    assert code in {0, *refusals}, err
    assert (code == 0) == ("coreml-gate: " not in err), "a refusal says why, and nothing else does"


@pytest.mark.parametrize("damage", MUTATIONS)
def test_diff_of_a_damaged_package(damage: str, sound: Path, tmp_path: Path) -> None:
    bad = str(damaged(sound, tmp_path / "bad.mlpackage", damage))
    for arguments in ((bad, str(sound)), (str(sound), bad, "--json")):
        code, out, err = run(tmp_path, "diff", *arguments)
        check(code, err, refusals=(PackageError.exit_code,))
        assert bool(out) == (code == 0)


def reproduced(folder: Path, place: Callable[[Path], object]) -> tuple[int, str]:
    (folder / "net.py").write_text(NET)
    (folder / "coreml-gate.toml").write_text(SOURCE)
    place(folder / ".coreml-gate/models/net/reference.mlpackage")
    code, _, err = run(folder, "reproduce", "net", "--operation", "y", "--output", "out")
    return code, err


def test_an_operation_of_a_sound_package(twin: Path, tmp_path: Path) -> None:
    """Otherwise the next test would only see that everything is refused."""
    assert reproduced(tmp_path, lambda place: shutil.copytree(twin, place)) == (0, "")
    assert (tmp_path / "out/operation.mlpackage").is_dir()


@pytest.mark.parametrize("damage", MUTATIONS)
def test_an_operation_of_a_damaged_package(damage: str, twin: Path, tmp_path: Path) -> None:
    code, err = reproduced(tmp_path, lambda place: damaged(twin, place, damage))
    check(code, err, refusals=ALL_REFUSALS)


def measuring(folder: Path, package: Path, damages: tuple[str, ...]) -> None:
    """A configuration whose models are these damaged packages."""
    tables = [PACKAGE.format(name=damage) for damage in damages]
    (folder / "coreml-gate.toml").write_text("".join(tables))
    for damage in damages:
        damaged(package, folder / f"{damage}.mlpackage", damage)


def test_a_run_over_damaged_packages_names_each_and_goes_on(sound: Path, tmp_path: Path) -> None:
    """Two that no reader takes, each measured in a child of its own."""
    measuring(tmp_path, sound, ("cut_specification", "twist_manifest"))
    code, out, err = run(tmp_path, "run")
    tried(2)
    assert code == PackageError.exit_code, err
    assert "Traceback" not in out + err
    report = json.loads((tmp_path / ".coreml-gate/report.json").read_text())
    assert {model["name"]: model["exit_code"] for model in report["models"]} == {
        "cut_specification": PackageError.exit_code,
        "twist_manifest": PackageError.exit_code,
    }
    assert all(f"{name}.mlpackage" in out for name in ("cut_specification", "twist_manifest"))


@pytest.mark.slow
@pytest.mark.parametrize("damage", FEW)
@pytest.mark.parametrize("command", ["plan", "collect", "run", "support", "selftest"])
def test_what_measures_a_damaged_package(command: str, damage: str, sound: Path, tmp_path: Path) -> None:
    measuring(tmp_path, sound, (damage,))
    code, out, err = run(tmp_path, command, *((damage,) if command == "support" else ()))
    tried(1)
    assert code in {0, *ALL_REFUSALS} - {UsageError.exit_code, ConfigError.exit_code}, err
    assert "Traceback" not in out + err
