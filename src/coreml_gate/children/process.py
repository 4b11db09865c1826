"""Runs a child process under a deadline per step and a memory limit, and says how it ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

POLL_S = 0.1
MEMORY_POLL_S = 1.0
"""To find a child's children, every process is looked at: too much to do ten times a second while timing."""
LOG_TAIL_LINES = 20

HowEnded = Literal["finished", "crashed", "timed-out", "out-of-memory"]


@dataclass(frozen=True)
class ProcessLimits:
    """How long one step may take, and how much resident memory the child and its children may hold."""

    step_s: float
    memory_bytes: float | None = None


@dataclass(frozen=True)
class Ending:
    """How a child process ended, in words that fit into a message."""

    how: HowEnded
    detail: str = ""
    """``killed by signal 11 (SIGSEGV)``, ``still running after 900 s``, ..."""


def run_child(
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    limits: ProcessLimits,
    current_step: Callable[[], str],
    on_step: Callable[[str], None],
) -> Ending:
    """Run ``command`` in ``folder``; whenever ``current_step`` changes, the deadline starts again."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return _watch(child, limits, current_step, on_step)
        finally:
            _end_group(child)


def _watch(
    child: subprocess.Popen[bytes],
    limits: ProcessLimits,
    current_step: Callable[[], str],
    on_step: Callable[[str], None],
) -> Ending:
    step, since = current_step(), time.monotonic()
    due = since
    while child.poll() is None:
        time.sleep(POLL_S)
        if (now_at := current_step()) != step:
            step, since = now_at, time.monotonic()
            on_step(step)
        if time.monotonic() - since > limits.step_s:
            return Ending("timed-out", f"still running after {limits.step_s:g} s")
        if limits.memory_bytes is not None and time.monotonic() >= due:
            due = time.monotonic() + MEMORY_POLL_S
            held = _resident_bytes(child.pid)
            if held > limits.memory_bytes:
                return Ending(
                    "out-of-memory",
                    f"held {held / 1e6:,.0f} MB, allowed {limits.memory_bytes / 1e6:,.0f} MB",
                )
    return _ending_of(child.returncode)


def _ending_of(code: int) -> Ending:
    if code == 0:
        return Ending("finished")
    if code == -signal.SIGKILL:
        return Ending(
            "out-of-memory", "killed by signal 9 (SIGKILL), as the system does when memory runs out"
        )
    if code < 0:
        return Ending("crashed", f"killed by signal {-code} ({signal.Signals(-code).name})")
    return Ending("crashed", f"ended with exit code {code}")


def _resident_bytes(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_resident_bytes_of(process) for process in family)


def _resident_bytes_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what the child left behind: a hung converter may have children of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def log_tail(log: Path, lines: int = LOG_TAIL_LINES) -> tuple[str, ...]:
    """Return the last lines that a child printed; empty when it printed nothing."""
    if not log.exists():
        return ()
    text = log.read_text(encoding="utf-8", errors="replace")
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-lines:]
