"""The process between the gate and a child: nothing that the child starts outlives the child, or the gate.

``python -m coreml_gate.children.keeper MODULE ARGUMENTS`` runs a module in a fork of itself. It waits for the
fork and for the gate, whose end it sees at a pipe that the gate holds open. When either ends, it kills
everything below it. On Linux, processes that leave their parent fall to the keeper, whatever session they
are in (``PR_SET_CHILD_SUBREAPER``, prctl(2)), and the fork dies with the keeper (``PR_SET_PDEATHSIG``).
"""

import contextlib
import ctypes
import os
import resource
import runpy
import select
import signal
import sys
from typing import Final

LIFELINE: Final = "COREML_GATE_LIFELINE"
"""The variable that names the reading end of the gate's pipe."""
MODULE: Final = "coreml_gate.children.keeper"
_SET_PDEATHSIG: Final = 1
_SET_CHILD_SUBREAPER: Final = 36


def main() -> None:
    """Run the module in a fork; this process ends as the fork does."""
    lifeline = int(os.environ.pop(LIFELINE))
    _prctl(_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    fork = os.fork()
    if fork == 0:
        os.close(lifeline)
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    status = _wait(fork, lifeline)
    _end_family()
    _reaped(fork)
    _end_as(status)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _wait(fork: int, lifeline: int) -> int:
    """The fork's status; that of a kill when the gate is gone."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while (status := _reaped(fork)) is None:
        readable, _, _ = select.select([lifeline, wake], [], [])
        if lifeline in readable:
            return signal.SIGKILL
        os.read(wake, 512)
    return status


def _reaped(fork: int) -> int | None:
    """The status of the fork if it has ended; orphans that ended are laid to rest on the way."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            if ended[0] == fork:
                return ended[1]
    return None


def _end_family() -> None:
    from coreml_gate.children.family import end_family  # noqa: PLC0415 - the fork need not carry psutil

    end_family()


def _end_as(status: int) -> None:
    """End with the same exit code, or by the same signal."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if not number else 1)


if __name__ == "__main__":
    main()
