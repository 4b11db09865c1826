"""Runs a child process with a deadline per step and a memory limit, and reports how it ended."""

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from coreml_gate.children import keeper
from coreml_gate.children.family import end_family, resident_bytes
from coreml_gate.children.output_log import OutputLog
from coreml_gate.children.variables import LIFELINE, MARK
from coreml_gate.credentials import without_credentials
from coreml_gate.starting import ProcessRequest, Start, Started, start_process

POLL_S: Final = 0.1
MEMORY_POLL_S: Final = 1.0
"""Seconds between searches for a child's children, which look at every process and would disturb timing."""
_SPINS: Final = "GOMP_SPINCOUNT"
_FEW: Final = "1000"
_CHOICES: Final = {_SPINS, "OMP_WAIT_POLICY"}
"""The variables by which a user decides how long OpenMP's threads spin (libgomp's manual)."""
_GRACE_S: Final = 10.0
"""Seconds that the keeper may take to end its processes before it is killed itself."""

HowEnded = Literal["finished", "failed", "crashed", "timed-out", "out-of-memory"]


@dataclass(frozen=True)
class ProcessLimits:
    """The time limit of one step, and the resident memory limit of the child and its children."""

    step_s: float
    memory_bytes: float | None = None


@dataclass(frozen=True)
class Ending:
    """How a child process ended, in words for a message."""

    how: HowEnded
    detail: str = ""
    """``killed by signal 11 (SIGSEGV)``, ``still running after 900 s``, ..."""
    last_lines: tuple[str, ...] = ()
    """The last lines of its output."""


@dataclass(frozen=True)
class Hooks:
    """Callbacks while a child runs."""

    step: Callable[[str], None] = lambda _: None
    """Called with each step that the child begins."""
    detail: Callable[[str], None] = lambda _: None
    """Called with the step's progress, in the child's words; empty when a step begins."""
    poll: Callable[[], None] = lambda: None
    """Called several times a second; an exception ends the child."""


NO_HOOKS: Final = Hooks()


class Watched(Protocol):
    """A child's report while it runs."""

    @property
    def step(self) -> str:
        """The current step."""

    @property
    def detail(self) -> str:
        """The progress of that step."""

    @property
    def finished(self) -> bool:
        """Whether it has reported its end, so that its work is done."""

    @property
    def fault(self) -> str:
        """The error in its report; empty if there is none."""

    def read(self) -> None:
        """Read new events."""


def run_child(
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    limits: ProcessLimits,
    report: Watched,
    hooks: Hooks = NO_HOOKS,
    start: Start = start_process,
) -> Ending:
    """Run ``command`` in ``folder`` until it reports its end, exits or exceeds a limit.

    The deadline starts again with each step. No process that it started is left when this returns.
    """
    with OutputLog(log) as output:
        with kept(start, command, folder, environment, output.input) as child:
            output.close_input()
            ending = _watch(child, limits, report, hooks)
        report.read()
    return Ending(*_with_report(ending, report), output.last_lines())


@contextmanager
def kept(
    start: Start,
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output: int,
    stdin: int | None = None,
) -> Iterator[Started]:
    """Start a process without credentials; at the end it and all that it started are ended."""
    mark = uuid.uuid4().hex
    lifeline, held = os.pipe()
    own = {**environment_of_children(environment), MARK: mark, LIFELINE: str(lifeline)}
    try:
        child = start(ProcessRequest(tuple(command), folder, own, output, lifeline, stdin))
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(lifeline)
    try:
        yield child
    finally:
        os.close(held)
        _end(child, mark, _GRACE_S if keeper.MODULE in command else 0)


def environment_of_children(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without credentials, in which OpenMP's threads spin only for a moment while they wait.

    By default they spin 300 times as long. Where other processes hold the cores, as models measured at once
    do, that takes several times the CPU time; threads that sleep at once, on the other hand, slow a model
    that has the cores for itself (``benchmarks/children/waiting.py``). A user's own choice stays.
    """
    kept = without_credentials(environment)
    return kept if kept.keys() & _CHOICES else {**kept, _SPINS: _FEW}


def _end(child: Started, mark: str, grace_s: float) -> None:
    """Wait until the keeper has ended everything; without a keeper, kill what is left."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=grace_s)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    end_family(mark, child.pid)


def _watch(
    child: Started,
    limits: ProcessLimits,
    report: Watched,
    hooks: Hooks,
) -> Ending:
    report.read()
    step, detail, since = report.step, report.detail, time.monotonic()
    due = since
    while (code := child.poll()) is None:
        time.sleep(POLL_S)
        hooks.poll()
        report.read()
        if report.step != step:
            step, since = report.step, time.monotonic()
            hooks.step(step)
        if report.detail != detail:
            detail = report.detail
            hooks.detail(detail)
        if report.finished or report.fault:
            return Ending("finished")
        if time.monotonic() - since > limits.step_s:
            return Ending("timed-out", f"still running after {limits.step_s:g} s")
        if limits.memory_bytes is not None and time.monotonic() >= due:
            due = time.monotonic() + MEMORY_POLL_S
            held = resident_bytes(child.pid)
            if held > limits.memory_bytes:
                return Ending(
                    "out-of-memory",
                    f"held {held / 1e6:,.0f} MB, allowed {limits.memory_bytes / 1e6:,.0f} MB",
                )
    return _ending_of(code)


def _with_report(ending: Ending, report: Watched) -> tuple[HowEnded, str]:
    """How the child ended; it finished only if it reported its end in a report without errors."""
    if report.fault:
        return "failed", report.fault
    if report.finished:
        return "finished", ""
    return ending.how, ending.detail


def _ending_of(code: int) -> Ending:
    if code == -signal.SIGKILL:
        return Ending(
            "out-of-memory", "killed by signal 9 (SIGKILL), as the system does when memory runs out"
        )
    if code < 0:
        return Ending("crashed", f"killed by signal {-code} ({_signal_name(-code)})")
    early = " before its work was done" if code == 0 else ""
    return Ending("crashed", f"ended with exit code {code}{early}")


def _signal_name(number: int) -> str:
    """The name of a signal; real-time signals are numbered from the first one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        first = int(getattr(signal, "SIGRTMIN", 0))
        return f"SIGRTMIN+{number - first}" if first < number else "unknown"
