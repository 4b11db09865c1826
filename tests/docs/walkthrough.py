"""Performs docs/walkthrough.md: writes its files, runs its commands, and puts their output where it stands.

``python -m tests.docs.walkthrough`` writes the page anew.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.docs.blocks import BLOCK
from tests.house import ROOT

PAGE: Final = ROOT / "docs" / "walkthrough.md"
_FILE: Final = re.compile(r"# (?P<name>[\w./-]+)\n")
Output = Callable[[str, Path], str]
"""What a command prints that runs in a folder."""
_PERSON: Final = {"NAME": "A Person", "EMAIL": "person@example.com", "DATE": "2026-01-05T12:00:00Z"}

HOMELESS_GIT: Final = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def performed(page: str, folder: Path, output: Output | None = None) -> str:
    """The page with the output that its commands have now, each in the state that those before it left."""
    return BLOCK.sub(lambda found: _performed(found, folder, output or output_of), page)


def _performed(found: re.Match[str], folder: Path, output: Output) -> str:
    text = found["text"]
    if found["reason"]:
        return found[0]
    named = _FILE.match(text)
    if named is not None:
        (folder / named["name"]).write_text(text[named.end() :], encoding="utf-8")
    if found["language"] != "console":
        return found[0]
    commands = [line for line in text.splitlines() if line.startswith("$ ")]
    shown = "".join(f"{command}\n{output(command.removeprefix('$ '), folder)}" for command in commands)
    return f"```console\n{shown}```"


def output_of(command: str, folder: Path) -> str:
    """What a command prints to standard output; its progress goes elsewhere."""
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{command}: exit code {run.returncode}\n{run.stdout}\n{run.stderr}"
    return "".join(f"{line.rstrip()}\n" for line in run.stdout.splitlines())


def _environment(folder: Path) -> dict[str, str]:
    git = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _PERSON.items()}
    own = {**HOMELESS_GIT, "HOME": str(folder), "COLUMNS": "80"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PYTEST_"))}
    return {**kept, **git, **own, "PATH": path}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary) / "ranker"
        repository.mkdir()
        PAGE.write_text(performed(PAGE.read_text(encoding="utf-8"), repository), encoding="utf-8")
