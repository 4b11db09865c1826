"""Nothing outlives a child or the gate: real processes, in sessions of their own, without a mark, killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from coreml_gate.children import keeper
from coreml_gate.children.process import NO_HOOKS, Ending, Hooks, ProcessLimits, run_child
from coreml_gate.children.warm import WarmChildren
from coreml_gate.starting import Start, start_process
from tests.children.clock import Clock
from tests.children.test_process import LAST_WORD, Files

pytestmark = pytest.mark.attack("the end of the gate")
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        open("written", "w").write(str(os.getpid()))
        os.rename("written", "daemon")
        os.execve(command[0], command, {})
    os._exit(0)
while not os.path.exists("daemon"):
    time.sleep(0.01)
"""
"""Leaves a process in a session of its own, whose parent has ended and whose environment is empty."""
GATE = """
import os, sys
from pathlib import Path
from tests.children.test_keeper import kept
kept(Path(sys.argv[1]), forked=sys.argv[2] == "forked")
"""


def kept(folder: Path, hooks: Hooks = NO_HOOKS, *, forked: bool = False) -> Ending:
    """Run the module ``work`` in ``folder`` below a keeper."""
    with WarmChildren(("json",)) as warm:
        return _run(folder, hooks, warm if forked else start_process)


def _run(folder: Path, hooks: Hooks, start: Start) -> Ending:
    return run_child(
        [*keeper.COMMAND, "work", "argument"],
        folder=folder,
        log=folder / "log.txt",
        environment={**os.environ, "PYTHONPATH": str(folder)},
        limits=ProcessLimits(600),
        report=Files(folder),
        hooks=hooks,
        start=start,
    )


@pytest.fixture(params=[False, True], ids=["fresh", "forked"])
def work(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Ending]:
    def run(code: str, hooks: Hooks = NO_HOOKS) -> Ending:
        (tmp_path / "work.py").write_text(code)
        return kept(tmp_path, hooks, forked=request.param)

    return run


def runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_the_module_runs_as_the_main_one_with_its_arguments(work: Callable[..., Ending]) -> None:
    assert work("import sys; print(__name__, sys.argv[1:], flush=True)").last_lines == (
        "__main__ ['argument']",
    )


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("import sys; sys.exit(7)", "ended with exit code 7"),
        ("import os; os._exit(0)", "ended with exit code 0 before its work was done"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by signal 11 (SIGSEGV)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 6)", "killed by signal 40 (SIGRTMIN+6)"),
    ],
)
def test_it_ends_as_its_child_does(work: Callable[..., Ending], code: str, detail: str) -> None:
    assert work(code) == Ending("crashed", detail)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (LAST_WORD, "finished"),
        ("os._exit(0)", "crashed"),
        ("os.abort()", "crashed"),
        ("os.kill(os.getpid(), 9)", "out-of-memory"),
        ("time.sleep(600)", "timed-out"),
    ],
)
def test_a_daemon_of_the_child_ends_with_it(
    work: Callable[..., Ending], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, how: str
) -> None:
    clock, daemon = Clock(monkeypatch), tmp_path / "daemon"

    def poll() -> None:
        if how == "timed-out" and daemon.exists():
            clock.pass_any_deadline()

    assert work(f"{DAEMON}\n{end}", Hooks(poll=poll)).how == how
    assert not runs(int(daemon.read_text()))


def test_a_child_that_kills_its_keeper_dies_with_it(work: Callable[..., Ending]) -> None:
    ending = work(
        "import os, time; print(os.getpid(), flush=True); os.kill(os.getppid(), 9); time.sleep(600)"
    )
    assert ending.how == "out-of-memory"
    assert not runs(int(ending.last_lines[0]))


@pytest.mark.parametrize("how", ["fresh", "forked"])
def test_a_gate_that_is_killed_takes_everything_with_it(tmp_path: Path, how: str) -> None:
    (tmp_path / "work.py").write_text(
        f"{DAEMON}\nopen('child', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    gate = subprocess.Popen([sys.executable, "-c", GATE, str(tmp_path), how])
    try:
        expected = {"fresh": 3, "forked": 5}[how]  # a server and its keeper are two more
        until = time.monotonic() + 300
        family: list[int] = []
        while not ((tmp_path / "child").exists() and len(family) == expected) and time.monotonic() < until:
            time.sleep(0.05)
            below = psutil.Process(gate.pid).children(recursive=True)
            family = [process.pid for process in below if runs(process.pid)]
        assert len(family) == expected  # who forked the daemon may take a moment to end
        assert int((tmp_path / "daemon").read_text()) in family
        gate.send_signal(signal.SIGKILL)
        gate.wait()
        until = time.monotonic() + 100
        while any(runs(pid) for pid in family) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(runs(pid) for pid in family)
    finally:
        gate.kill()
