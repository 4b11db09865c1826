"""What the wheel holds follows from what git does not ignore below src, and from pyproject.toml."""

import subprocess
import tomllib
from importlib import import_module
from typing import Any

import pytest

from tests.house import ROOT, SOURCE


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_no_file_of_the_package_is_left_out_of_the_wheel(project: dict[str, Any]) -> None:
    """hatchling takes whole folders, without what git ignores."""
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["src/coreml_gate"]}
    files = [path for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    given = "\n".join(str(path) for path in files)
    ignored = subprocess.run(
        ["git", "check-ignore", "--stdin"], input=given, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ignored.stdout, ignored.stderr) == ("", "")
    assert {path.suffix for path in files} >= {".py", ".j2", ".csv", ".yml", ".js", ".css"}


def test_every_entry_point_is_there(project: dict[str, Any]) -> None:
    points = [
        *project["project"]["scripts"].values(),
        *project["project"]["entry-points"]["pytest11"].values(),
    ]
    for point in points:
        module, _, name = point.partition(":")
        assert not name or callable(getattr(import_module(module), name))
        assert import_module(module).__name__ == module


def test_an_extra_names_what_code_looks_for(project: dict[str, Any]) -> None:
    from coreml_gate.conversion.litert import PACKAGES  # noqa: PLC0415 - loads torch

    extras = project["project"]["optional-dependencies"]
    assert sorted(extras["litert"]) == sorted(PACKAGES)
