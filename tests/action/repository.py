"""The example as a repository whose workflows are played, and what GitHub then knows of its pull requests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.action.driver import HOME, Machine, Played, with_outputs
from tests.examples.conftest import EXAMPLES, load_module
from tests.github_api.hub import FULL_NAME, WORKFLOW

demo = load_module(EXAMPLES / "demo.py")
CONFIGURATION = """
[gate]
deployment-target = "iOS17"
max-samples = 4
time-budget-s = 5
core-ml-units = ["CPU_ONLY"]

[[model]]
name = "keywords"
source = "models/keywords.py:build"
samples = "models/keywords.py:samples"
evaluate = "models/keywords.py:evaluate"
output = ["scores"]
watch = ["weights/keywords.safetensors"]
"""
"""The example's smallest model alone."""


class Repository:
    """The example as a git repository, with a workflow."""

    def __init__(self, folder: Path, workflow: str) -> None:
        self.folder = folder
        demo.create_repository(folder)
        (folder / WORKFLOW).parent.mkdir(parents=True)
        self.write({"coreml-gate.toml": CONFIGURATION, WORKFLOW: with_outputs(workflow)})
        demo.git(folder, "remote", "add", "origin", f"https://github.com/{FULL_NAME}")
        demo.commit(folder, "Gate the smallest model")
        self.base = self.head

    @property
    def head(self) -> str:
        command = ["git", "rev-parse", "HEAD"]
        return subprocess.check_output(command, cwd=self.folder, text=True).strip()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    @contextmanager
    def branch(self, name: str, files: dict[str, str], patch: str = "") -> Iterator[str]:
        """A commit on a branch of its own, checked out meanwhile."""
        demo.git(self.folder, "switch", "--quiet", "--create", name, "main")
        self.write(files)
        if patch:
            demo.git(self.folder, "apply", str(EXAMPLES / "changes" / f"{patch}.patch"))
        demo.commit(self.folder, name)
        yield self.head
        demo.git(self.folder, "switch", "--quiet", "main")


def open_pull(machine: Machine, number: int, head: str, base: str, source: dict[str, Any] = HOME) -> Any:
    """A pull request as the server knows it; gives the event's payload."""
    configuration = CONFIGURATION.encode()
    machine.hub.add_pull(number, head, head_repository=source["id"])
    machine.hub.history, machine.hub.merge_base = [base], base
    for reference in ("main", head):
        machine.hub.files[reference, "coreml-gate.toml"] = configuration
    side = {"sha": head, "ref": "feature", "repo": source}
    pull = {"number": number, "head": side, "base": {"sha": base, "ref": "main", "repo": HOME}}
    return {"number": number, "pull_request": pull, "repository": HOME}


def check_of(machine: Machine, head: str) -> dict[str, Any]:
    (run,) = (run for run in machine.hub.check_runs.values() if run["head_sha"] == head)
    return dict(run)


def comment_on(machine: Machine, number: int) -> dict[str, Any]:
    (comment,) = (comment for issue, comment in machine.hub.comments.values() if issue == number)
    return dict(comment)


def steps(played: Played, *names: str) -> list[str]:
    return [played.step(name) for name in names]
