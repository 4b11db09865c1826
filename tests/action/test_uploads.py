"""What the action uploads: a second attempt replaces it, and only it; a full storage hides no verdict."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.action.document import ROOT, read

UPLOADS = {
    step["name"]: step
    for step in read("action.yml")["runs"]["steps"]
    if step.get("uses", "").startswith("actions/upload-artifact@")
}
UPLOAD = ROOT / "tests" / "action" / "stand_in_actions" / "upload-artifact" / "upload.py"
_EXPRESSION = re.compile(r"\$\{\{ (?:inputs|steps\.\w+\.outputs)\.([\w-]+) \}\}")


def attempt(folder: Path, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Uploads with what the step gives, as actions/upload-artifact does."""
    known = {"folder": str(folder / "base"), "key": "default"}
    given = {
        name: _EXPRESSION.sub(lambda found: known.get(found[1], found[1]), str(value))
        for name, value in step["with"].items()
    }
    environment = {
        **os.environ,
        "ARCHIVE": given.get("archive", "True").lower(),
        "NAME": given.get("name", ""),
        "PATHS": given["path"],
        "IF_NO_FILES_FOUND": given.get("if-no-files-found", "warn"),
        "OVERWRITE": given.get("overwrite", "False").lower(),
        "STAND_IN_FOLDER": str(folder),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/models",
        "GITHUB_RUN_ID": "1",
    }
    command = [sys.executable, str(UPLOAD)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", UPLOADS)
def test_a_second_attempt_replaces_its_artifact_and_none_of_the_users(tmp_path: Path, name: str) -> None:
    base = tmp_path / "base"
    for file in ("run/record.json", "run/history.json", "report/report.json", "coreml-gate-default.html"):
        (base / file).parent.mkdir(parents=True, exist_ok=True)
        (base / file).write_text("{}")
    others = tmp_path / "artifacts" / "artifact.zip"
    others.parent.mkdir()
    others.write_text("of the workflow's own, without a name")
    attempts = [attempt(tmp_path, UPLOADS[name]) for _ in range(2)]

    assert [(each.returncode, each.stderr) for each in attempts] == [(0, "")] * 2
    assert others.exists()
    assert len(list(others.parent.iterdir())) == 2


def test_a_full_storage_fails_only_a_job_whose_artifact_another_one_needs() -> None:
    """It refuses every artifact (actions/upload-artifact#307), and the verdict is known by then."""
    may_fail = {name: step.get("continue-on-error", False) for name, step in UPLOADS.items()}
    assert may_fail == {
        "Store the baseline": False,
        "Store the history": False,
        "Keep the Record": "${{ contains(steps.start.outputs.work, 'report') }}",
        "Keep the report": True,
        "Keep the page": True,
    }
