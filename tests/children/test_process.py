"""How a child ends is told apart: finished, crashed, hung, out of memory; whatever it printed."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from coreml_gate.children.process import Ending, ProcessLimits, log_tail, run_child


def run(
    tmp_path: Path,
    code: str,
    step_s: float = 20,
    memory_bytes: float | None = None,
    steps: list[str] | None = None,
) -> Ending:
    marker = tmp_path / "step"
    return run_child(
        [sys.executable, "-c", code],
        folder=tmp_path,
        log=tmp_path / "log.txt",
        environment=os.environ,
        limits=ProcessLimits(step_s, memory_bytes),
        current_step=lambda: marker.read_text() if marker.exists() else "start",
        on_step=(steps if steps is not None else []).append,
    )


def test_a_child_that_ends_well_is_finished(tmp_path: Path) -> None:
    assert run(tmp_path, "print('done')") == Ending("finished")
    assert log_tail(tmp_path / "log.txt") == ("done",)


def test_a_child_is_started_in_the_folder_to_measure(tmp_path: Path) -> None:
    run(tmp_path, "import os; print(os.getcwd())")

    assert log_tail(tmp_path / "log.txt") == (str(tmp_path.resolve()),)


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("import sys; sys.exit(7)", "ended with exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "killed by signal 6 (SIGABRT)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by signal 11 (SIGSEGV)"),
    ],
)
def test_a_crash_names_signal_or_exit_code(tmp_path: Path, code: str, detail: str) -> None:
    assert run(tmp_path, code) == Ending("crashed", detail)


def test_a_kill_from_outside_is_taken_for_the_systems_memory_killer(tmp_path: Path) -> None:
    ending = run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")

    assert ending.how == "out-of-memory"
    assert "SIGKILL" in ending.detail


def test_a_hang_is_ended_at_the_deadline(tmp_path: Path) -> None:
    assert run(tmp_path, "import time; time.sleep(60)", step_s=0.5) == Ending(
        "timed-out", "still running after 0.5 s"
    )


def test_each_step_has_its_own_deadline(tmp_path: Path) -> None:
    code = """
import pathlib, time
for step in ("source", "convert", "measure"):
    pathlib.Path("step").write_text(step)
    time.sleep(0.8)
"""
    steps: list[str] = []

    assert run(tmp_path, code, step_s=2.0, steps=steps) == Ending("finished")
    assert steps == ["source", "convert", "measure"]


def test_the_memory_limit_counts_children_of_the_child(tmp_path: Path) -> None:
    code = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; held = b'x' * 200_000_000; time.sleep(60)"])
"""
    ending = run(tmp_path, code, memory_bytes=150e6)

    assert ending.how == "out-of-memory"
    assert ending.detail.endswith("allowed 150 MB")


def test_nothing_is_left_running(tmp_path: Path) -> None:
    code = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""
    run(tmp_path, code, step_s=1.5)

    grandchild = int(log_tail(tmp_path / "log.txt")[0])
    deadline = time.monotonic() + 5
    while _runs(grandchild) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(grandchild)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_log_tail_survives_garbage(tmp_path: Path) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'\xff\xfe\x00broken\n\n' + b'line\n' * 50 + b'last')"
    run(tmp_path, code)

    tail = log_tail(tmp_path / "log.txt", lines=3)
    assert tail == ("line", "line", "last")
