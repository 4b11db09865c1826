"""A real git repository in a temporary folder, without any setting of the machine."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from coreml_gate.children.job import ModelJob
from coreml_gate.errors import SourceError
from coreml_gate.gate import collect
from coreml_gate.gate.git import Repository
from coreml_gate.record import ModelRecord, Problem
from tests.builders import model_record, precision_comparison

IDENTITY = {
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.invalid",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.invalid",
}


@dataclass(frozen=True)
class Folder:
    """A folder under git; ``commit`` writes files (``None`` deletes) and commits them."""

    root: Path
    environ: Mapping[str, str]

    def git(self, *arguments: str) -> str:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**self.environ, **IDENTITY},
            check=True,
            capture_output=True,
            text=True,
        )
        return answer.stdout.strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        for path, text in files.items():
            target = self.root / path
            if text is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")

    def commit(self, files: Mapping[str, str | None]) -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

    @property
    def repository(self) -> Repository:
        return Repository.open(self.root, self.environ)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


@pytest.fixture
def folder(tmp_path: Path, environ: dict[str, str]) -> Folder:
    root = tmp_path / "repository"
    root.mkdir()
    made = Folder(root, environ)
    made.git("init", "--quiet", "--initial-branch=main")
    return made


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored Records stand for children: what is tested is what is measured, compared and reported.

    The source file decides: an import that fails is a problem, a sum before its factor breaks half precision.
    """
    monkeypatch.setattr(collect, "measure_with_variants", lambda job, *_: _recorded(job))


def _recorded(job: ModelJob) -> ModelRecord:
    source = (job.root / job.model.source.partition(":")[0]).read_text(encoding="utf-8")
    known = {"name": job.model.name, "content": job.closure}
    if "no_such_module" in source:
        problem = Problem(
            kind="source-error",
            message="there is no module `no_such_module`.",
            hint="install it.",
            exit_code=SourceError.exit_code,
        )
        return ModelRecord(**known, problem=problem)
    if "x.sum(" in source:
        return model_record(**known, precision=(precision_comparison(psnr=2.6),))
    return model_record(**known)
