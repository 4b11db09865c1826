"""`coreml-gate init`: what it prints and writes, and what it never touches."""

import ast
import subprocess
from io import StringIO
from pathlib import Path

import pytest
import yaml

from coreml_gate.cli import main
from coreml_gate.config.load import load_config
from coreml_gate.init.command import configuration, documents, workflow
from coreml_gate.init.proposal import Proposal, propose
from coreml_gate.init.scan import scan
from coreml_gate.streams import Screen
from coreml_gate.surroundings import Surroundings
from tests.house import ROOT
from tests.init.conftest import Lay
from tests.init.repositories import LFS, LIGHTNING, NET, NOTEBOOK, ONE_SCRIPT, PACKAGE, ULTRALYTICS

SHAPES = {
    "one script": ONE_SCRIPT,
    "package": PACKAGE,
    "lightning": LIGHTNING,
    "ultralytics": ULTRALYTICS,
    "notebook": NOTEBOOK,
    "git lfs": LFS,
}


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    out = StringIO()
    console = Screen(out)
    code = main(["init", *arguments], Surroundings(folder, {"PATH": "/usr/bin:/bin"}, console, console))
    return code, out.getvalue()


@pytest.mark.parametrize("files", SHAPES.values(), ids=SHAPES.keys())
def test_what_is_written_is_a_valid_configuration_workflow_and_module(
    lay: Lay, files: dict[str, str]
) -> None:
    root = lay(files)

    code, said = run(root, "--yes")

    assert code == 0
    assert said.endswith("next: `coreml-gate run`\n")
    names = [model.name for model in load_config(root).model]
    assert names
    assert all(f"{name}: source " in said for name in names)
    assert yaml.safe_load((root / ".github/workflows/coreml-gate.yml").read_text())["name"] == "coreml-gate"
    if (root / "coreml_gate_models.py").exists():
        ast.parse((root / "coreml_gate_models.py").read_text())


def test_a_second_run_changes_nothing(lay: Lay) -> None:
    root = lay(ONE_SCRIPT)
    run(root, "--yes")
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)

    code, said = run(root, "--yes")

    assert code == 0
    assert said == "coreml-gate.toml exists: nothing to do. `coreml-gate run` measures its models.\n"
    assert subprocess.run(["git", "diff", "--quiet"], cwd=root, check=False).returncode == 0


def test_without_a_terminal_nothing_is_written(lay: Lay) -> None:
    root = lay(ONE_SCRIPT)
    before = sorted(root.rglob("*"))

    code, said = run(root)

    assert code == 0
    assert "nothing was written: run `coreml-gate init --yes`" in said
    assert [path for path in sorted(root.rglob("*")) if ".git" not in path.parts] == [
        path for path in before if ".git" not in path.parts
    ]


def test_a_workflow_that_exists_stays_as_it_is(lay: Lay) -> None:
    root = lay({**ONE_SCRIPT, ".github/workflows/coreml-gate.yml": "mine\n"})

    run(root, "--yes")

    assert (root / ".github/workflows/coreml-gate.yml").read_text() == "mine\n"


def test_a_repository_without_a_model_says_what_to_write(lay: Lay) -> None:
    code, said = run(lay({"readme.py": "print('hello')\n"}), "--yes")

    assert code == 2
    assert "found no model that can be built without arguments." in said
    assert "write coreml-gate.toml by hand" in said


def test_the_workflow_is_the_one_that_the_examples_show() -> None:
    shown = (ROOT / "examples/workflows/simple.yml").read_text(encoding="utf-8")
    assert workflow(Proposal((), requirements="requirements.txt")) == shown


def test_without_requirements_and_with_git_lfs_the_workflow_fits() -> None:
    written = yaml.safe_load(workflow(Proposal((), uses_lfs=True)))
    checkout, gate = written["jobs"]["gate"]["steps"]
    assert checkout["with"]["lfs"] is True
    assert "requirements" not in gate["with"]


def test_a_file_name_with_a_line_break_stays_inside_its_comment(lay: Lay) -> None:
    files = {'we\nird".py': NET}
    text = configuration(propose(scan(lay(files), frozenset(files))))

    assert [line for line in text.splitlines() if line.startswith("ird")] == []
    assert "\\n" in text


def test_glue_of_a_file_that_cannot_be_imported_is_not_written(lay: Lay) -> None:
    files = {"my-data.py": LIGHTNING["data.py"], "net.py": NET}
    proposal = propose(scan(lay(files), frozenset(files)))

    assert list(documents(proposal)) == ["coreml-gate.toml", ".github/workflows/coreml-gate.yml"]
