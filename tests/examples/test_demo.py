import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, load_module

demo = load_module(EXAMPLES / "demo.py")
OVERFLOW = demo.read_changes()["fp16-overflow"]


def report(**checks: str) -> str:
    findings = [{"check": check, "status": status} for check, status in checks.items()]
    return json.dumps({"models": [{"name": "keywords", "findings": findings}]})


def gate(path: Path, exit_code: int, text: str | None) -> str:
    """A stand-in for the Python that runs the gate: writes a report and ends."""
    write = (
        ""
        if text is None
        else f"mkdir -p .coreml-gate\ncat > .coreml-gate/report.json <<'END'\n{text}\nEND\n"
    )
    path.write_text(f"#!/bin/sh\n{write}exit {exit_code}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("exit_code", "text", "expected"),
    [
        (1, report(parity="pass", precision="fail", hazards="fail", evaluate="fail"), True),
        (1, report(parity="pass", precision="fail", hazards="pass", evaluate="fail"), False),
        (1, report(parity="fail", precision="fail", hazards="fail", evaluate="fail"), False),
        (0, report(parity="pass", precision="fail", hazards="fail", evaluate="fail"), False),
        (3, None, False),
    ],
    ids=["as expected", "too few fail", "too many fail", "wrong exit code", "no report"],
)
def test_play_compares_exit_code_and_failed_checks(
    exit_code: int, text: str | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.sys, "executable", gate(tmp_path / "gate", exit_code, text))
    folder = tmp_path / "repository"
    demo.create_repository(folder)

    assert demo.play(folder, OVERFLOW) is expected


def test_base_and_change_are_commits_of_one_history(tmp_path: Path) -> None:
    demo.create_repository(tmp_path)

    demo.apply_change(tmp_path, OVERFLOW)

    command = ["git", "log", "--format=%s|%an|%D"]
    log = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | demo.GIT_ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert log.stdout.splitlines() == [
        f"{OVERFLOW.title}|phone-models|HEAD -> fp16-overflow",
        "Ship three models|phone-models|main",
    ]


def test_keep_refuses_a_folder_that_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.sys, "argv", ["demo.py", "--keep", str(tmp_path)])

    with pytest.raises(SystemExit):
        demo.parse_arguments({OVERFLOW.name: OVERFLOW})

    assert "name a new folder" in capsys.readouterr().err
