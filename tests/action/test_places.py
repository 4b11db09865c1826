"""Where the action runs: containers, whose workspace belongs to another user or without git; Windows."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from coreml_gate.errors import RepositoryError
from coreml_gate.gate.git import Repository
from tests.action.driver import PYTHON, ROOT

NOBODY = 65_534
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository of another user, as the workspace of a container job is."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "--quiet"), (*identity, "commit", "--quiet", "--allow-empty", "-m", "first")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    if IS_ROOT:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return folder


def environment_of(workspace: Path, **variables: str) -> dict[str, str]:
    folder = workspace.parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **kept,
        "HOME": str(folder / "home"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "COREML_GATE_FOLDER": str(folder / "base"),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_WORKSPACE": str(workspace),
        "MODE": "auto",
        "PYTHON": PYTHON,
        "PYTHON_VERSION": "3.12",
        "REQUIREMENTS": "",
        "RUNNER_ARCH": "X64",
        "RUNNER_OS": "Linux",
        "RUNNER_TEMP": str(folder / "runner"),
        "TORCH_INDEX": "",
        **variables,
    }


def step(script: str, workspace: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    (workspace.parent / "home").mkdir(exist_ok=True)
    return subprocess.run(
        [shutil.which("bash") or "bash", str(ROOT / "action" / script)],
        cwd=workspace,
        env=environment_of(workspace, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def without_git(tmp_path: Path) -> str:
    """A PATH with what the scripts call, but for git."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "cat", "sed", "basename", "cp", "mkdir", "rm", "dirname"):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    return str(folder)


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a folder away")
def test_a_workspace_of_another_user_is_read_after_the_preparation(workspace: Path) -> None:
    environment = environment_of(workspace)
    with pytest.raises(RepositoryError) as caught:
        Repository.open(workspace, environment)
    assert "belongs to another user" in caught.value.message
    assert f"git config --global --add safe.directory {workspace}" in caught.value.hint

    for _ in range(2):
        done = step("prepare.sh", workspace, MODE="report")
        assert done.returncode == 0, done.stderr
    assert Repository.open(workspace, environment).head() is not None
    assert (workspace.parent / "home" / ".gitconfig").read_text().count("directory") == 1


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a folder away")
def test_models_without_a_user_of_their_own_read_it_too(workspace: Path, tmp_path: Path) -> None:
    script = ROOT / "action" / "models.py"
    command = [PYTHON, "-I", str(script), "--folder", str(tmp_path), "--", "git", "log", "--format=%s"]
    done = subprocess.run(
        command, cwd=workspace, env=environment_of(workspace), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "first\n"), done.stderr


def test_without_git_it_says_when_to_install_it(workspace: Path, without_git: str) -> None:
    done = step("prepare.sh", workspace, PATH=without_git)

    assert done.returncode == 2
    assert "::error title=coreml-gate::there is no git on PATH: install it before" in done.stdout


def test_a_job_that_only_reports_needs_no_git(workspace: Path, without_git: str) -> None:
    done = step("prepare.sh", workspace, PATH=without_git, MODE="report")

    assert done.returncode == 0, done.stderr
    output = (workspace.parent / "output").read_text()
    assert re.search(r"^cache-key=coreml-gate-Linux-X64-3\.12-[0-9a-f]{40}$", output, re.MULTILINE)


def test_a_mac_without_wheels_of_torch_is_refused_before_the_installation(workspace: Path) -> None:
    """Such as `macos-15-intel`, or a runner under Rosetta."""
    done = step("prepare.sh", workspace, RUNNER_OS="macOS", RUNNER_ARCH="X64")

    assert done.returncode == 2
    assert "torch has no wheel for macOS on X64: take a runner on Apple silicon" in done.stdout


def test_another_system_is_refused_before_anything_is_opened(workspace: Path) -> None:
    done = step("open.sh", workspace, RUNNER_OS="Windows")

    assert (done.returncode, done.stderr) == (2, "")
    assert "the gate runs on Linux and macOS, not on Windows" in done.stdout
