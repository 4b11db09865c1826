"""A git repository that holds given files, and what `init` proposes for it."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from coreml_gate.init.proposal import Proposal, propose
from coreml_gate.init.scan import scan

Lay = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Writes the files into a new repository."""

    def write(files: Mapping[str, str]) -> Path:
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
        return tmp_path

    return write


@pytest.fixture
def proposed(lay: Lay) -> Callable[[Mapping[str, str]], Proposal]:
    """What is proposed for the files."""
    return lambda files: propose(scan(lay(files), frozenset(files)))
