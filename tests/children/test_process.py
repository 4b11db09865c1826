"""How a child ends is told apart: finished, crashed, hung, out of memory; whatever it printed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from coreml_gate.children import process
from coreml_gate.children.family import end_family
from coreml_gate.children.process import (
    POLL_S,
    Ending,
    Hooks,
    ProcessLimits,
    environment_of_children,
    run_child,
)
from tests.children.clock import Clock

LAST_WORD = "import pathlib; pathlib.Path('end').touch()"


@dataclass
class Files:
    """A report of two files: the step, and the last word."""

    folder: Path
    step: str = "start"
    detail: str = ""
    finished: bool = False
    fault: str = ""

    def read(self) -> None:
        step = self.folder / "step"
        if step.exists():  # and empty while the child writes it
            self.step = step.read_text() or self.step
        self.finished = (self.folder / "end").exists()


def run(
    tmp_path: Path,
    code: str,
    step_s: float = 600,
    memory_bytes: float | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Ending:
    return run_child(
        [sys.executable, "-c", code],
        folder=tmp_path,
        log=tmp_path / "log.txt",
        environment=os.environ,
        limits=ProcessLimits(step_s, memory_bytes),
        report=Files(tmp_path),
        hooks=Hooks(step=step),
    )


def test_a_child_with_its_last_word_is_finished(tmp_path: Path) -> None:
    assert run(tmp_path, f"print('done', flush=True); {LAST_WORD}") == Ending("finished", "", ("done",))
    assert (tmp_path / "log.txt").read_text() == "done\n"


def test_without_its_last_word_it_crashed_whatever_its_exit_code(tmp_path: Path) -> None:
    ending = run(tmp_path, "print('done')")
    assert ending == Ending("crashed", "ended with exit code 0 before its work was done", ("done",))


@pytest.mark.parametrize(
    "rest",
    [
        "import threading; threading.Thread(target=lambda: time.sleep(600)).start()",
        "import atexit; atexit.register(time.sleep, 600)",
        "import os; os._exit(7)",
        "import os; os.abort()",
        "time.sleep(600)",
    ],
)
def test_after_its_last_word_nothing_is_waited_for(tmp_path: Path, rest: str) -> None:
    started = time.monotonic()
    assert run(tmp_path, f"import time; {LAST_WORD}; {rest}", step_s=600).how == "finished"
    assert time.monotonic() - started < 500


def test_a_child_is_started_in_the_folder_to_measure(tmp_path: Path) -> None:
    assert run(tmp_path, "import os; print(os.getcwd())").last_lines == (str(tmp_path.resolve()),)


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("import sys; sys.exit(7)", "ended with exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "killed by signal 6 (SIGABRT)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by signal 11 (SIGSEGV)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 6)", "killed by signal 40 (SIGRTMIN+6)"),
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


def test_each_step_has_its_own_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 1.5 s of the 2 s that are allowed."""
    code = """
import pathlib, time
for step in ("source", "convert", "measure"):
    pathlib.Path("step").write_text(step)
    while not pathlib.Path(step).exists():
        time.sleep(0.01)
pathlib.Path("end").touch()
"""
    clock, steps = Clock(monkeypatch), []

    def begun(step: str) -> None:
        steps.append(step)
        clock.now += 1.5
        (tmp_path / step).touch()

    assert run(tmp_path, code, step_s=2.0, step=begun) == Ending("finished")
    assert steps == ["source", "convert", "measure"]


def test_the_memory_limit_counts_children_of_the_child(tmp_path: Path) -> None:
    code = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; held = b'x' * 200_000_000; time.sleep(60)"])
"""
    ending = run(tmp_path, code, memory_bytes=150e6)

    assert ending.how == "out-of-memory"
    assert ending.detail.endswith("allowed 150 MB")


@pytest.mark.parametrize("memory_bytes", [None, 1e12])
def test_while_times_are_taken_processes_are_walked_once_a_second_and_only_for_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_bytes: float | None
) -> None:
    """Each walk looks at every process of the machine: 5 ms with a hundred of them."""
    clock, walks = Clock(monkeypatch), []

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now > 3:
            (tmp_path / "end").touch()

    def resident_bytes(_: int) -> int:
        walks.append(clock.now)
        return 0

    monkeypatch.setattr(clock, "sleep", sleep)
    monkeypatch.setattr(process, "resident_bytes", resident_bytes)
    run(tmp_path, "import time; time.sleep(600)", memory_bytes=memory_bytes)
    expected = [] if memory_bytes is None else [POLL_S, POLL_S + 1, POLL_S + 2]
    assert walks == pytest.approx(expected, abs=1.5 * POLL_S)


def test_nothing_is_left_running_or_still_holds_memory(tmp_path: Path) -> None:
    """To give back what it holds takes a process longer than to lose its mark."""
    code = f"""
import subprocess, sys, time
code = "import time; held = bytearray(b'x') * 800_000_000; print('holds it', flush=True); time.sleep(600)"
holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
holder.stdout.readline()
print(holder.pid, flush=True)
{LAST_WORD}
time.sleep(600)
"""
    grandchild = int(run(tmp_path, code).last_lines[0])
    assert not _runs(grandchild)


def test_what_bears_no_mark_ends_with_its_group() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    other = subprocess.Popen(command, start_new_session=True)
    try:
        end_family("no such mark", group=other.pid)
        assert not _runs(other.pid)
    finally:
        other.kill()
        other.wait()


def test_what_left_for_a_session_of_its_own_is_found_by_its_mark(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
until, printed = os.pipe()
if os.fork():
    os.close(printed)
    os.read(until, 1)
    os._exit(0)
os.setsid()
command = [sys.executable, "-c", "import time; time.sleep(600)"]
print(subprocess.Popen(command, start_new_session=True).pid, flush=True)
os._exit(0)
"""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    daemon = int(run(tmp_path, parent).last_lines[0])
    assert not _runs(daemon)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_last_lines_survive_garbage(tmp_path: Path) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'\xff\xfe\x00broken\n\n' + b'line\n' * 50 + b'last')"
    assert run(tmp_path, code).last_lines == ("line",) * 19 + ("last",)


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ({}, {"GOMP_SPINCOUNT": "1000"}),
        ({"OMP_WAIT_POLICY": "active"}, {}),
        ({"GOMP_SPINCOUNT": "5"}, {}),
    ],
)
def test_threads_of_a_child_spin_for_a_moment_unless_the_user_chose(
    given: dict[str, str], added: dict[str, str]
) -> None:
    own = {"PATH": "/bin", **given}
    assert environment_of_children(own) == {**own, **added}
