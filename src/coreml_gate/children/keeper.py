"""The process between the gate and a child: nothing that the child starts outlives the child, or the gate.

``python -m coreml_gate.children.keeper MODULE ARGUMENTS`` starts the child, and waits for it and for the
gate, whose end it sees at a pipe that the gate holds open. When either ends, it kills everything below it. On
Linux, processes that leave their parent fall to the keeper, whatever session they are in
(``PR_SET_CHILD_SUBREAPER``, prctl(2)), and the child dies with the keeper (``PR_SET_PDEATHSIG``).
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
from typing import Final, NoReturn

LIFELINE: Final = "COREML_GATE_LIFELINE"
"""The variable that names the reading end of the gate's pipe."""
MODULE: Final = "coreml_gate.children.keeper"
_SET_PDEATHSIG: Final = 1
_SET_CHILD_SUBREAPER: Final = 36


def main() -> None:
    """Run the module in a child; this process ends as the child does."""
    lifeline = int(os.environ.pop(LIFELINE))
    _prctl(_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(lifeline)
        _become_the_child(keeper)
    status = _wait(child, lifeline)
    _end_family()
    _reaped(child)
    _end_as(status)


def _become_the_child(keeper: int) -> NoReturn:
    """A new interpreter: after a fork alone, Apple's frameworks refuse to work."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    os.execv(sys.executable, [sys.executable, "-P", "-m", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _wait(child: int, lifeline: int) -> int:
    """The child's status; that of a kill when the gate is gone."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while (status := _reaped(child)) is None:
        readable, _, _ = select.select([lifeline, wake], [], [])
        if lifeline in readable:
            return signal.SIGKILL
        os.read(wake, 512)
    return status


def _reaped(child: int) -> int | None:
    """The status of the child if it has ended; orphans that ended are laid to rest on the way."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            if ended[0] == child:
                return ended[1]
    return None


def _end_family() -> None:
    from coreml_gate.children.family import end_family  # noqa: PLC0415 - the child need not wait for psutil

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
