"""Does a run of real tests of coremltools end with their counts, and a failing one with exit code 1?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import ledger, run


def test_a_small_group_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            run.__file__,
            "--group",
            "iOS16/tensor_operation",
            "--sample",
            "1",
            "--ledger",
            str(tmp_path / "run"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (lines,) = (path.read_text().splitlines() for path in tmp_path.glob("run.*.jsonl"))
    entries = [ledger.Entry(**json.loads(line)) for line in lines]
    assert "fill_like" in set().union(*(entry.operations for entry in entries))
    assert sum(entry.comparisons for entry in entries) > 0
    assert f"| iOS16/tensor_operation | {len(entries)} |" in done.stdout
    (run_and_suite,) = ledger.announced(tmp_path / "run").values()
    assert run_and_suite[0] == len(entries) < run_and_suite[1]


def test_a_failure_decides_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = ledger.Entry(
        "iOS14/conv::a", "fp16", "iOS14/conv", "failed", 1, 1, message="LimitError: 0.1\nmore"
    )
    ledger.append(tmp_path / "run", "main", entry)
    assert run.main(["--judge", "--ledger", str(tmp_path / "run")]) == 1
    assert "- FAILED iOS14/conv::a[fp16]\n    LimitError: 0.1\n" in capsys.readouterr().out


def test_a_run_that_was_aborted_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.append(tmp_path / "run", "main", ledger.Entry("iOS14/conv::a", "", "iOS14/conv", "passed"))
    ledger.announce(tmp_path / "run", {"iOS14/conv": 3}, {"iOS14/conv": 9})
    assert run.main(["--judge", "--ledger", str(tmp_path / "run")]) == 2
    assert "2 more tests belong to this run: continue with --resume" in capsys.readouterr().err


def test_a_ledger_within_the_repository_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--judge", "--ledger", str(run.ROOT / "ledger")]) == 2
    assert "outside of the repository" in capsys.readouterr().err
