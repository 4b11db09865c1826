"""The process between the gate and a child, which ends all that the child started with the child or the gate.

``python -m coreml_gate.children.keeper MODULE ARGUMENTS`` starts the child and waits for it and for the gate;
a pipe that the gate holds open shows the gate's end. When either ends, it kills everything below it. On
Linux, the keeper adopts processes whose parent ended, whatever session they are in
(``PR_SET_CHILD_SUBREAPER``, prctl(2)), and the child dies with the keeper (``PR_SET_PDEATHSIG``).
With ``--forked PID`` in place of the module, that process is already its child, forked before this program.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
from typing import Final, NoReturn

from coreml_gate.children.variables import LIFELINE

MODULE: Final = "coreml_gate.children.keeper"
COMMAND: Final = (sys.executable, "-P", "-m", MODULE)
"""The start of every kept child's command, followed by its module and arguments."""
FORKED: Final = "--forked"
_SET_PDEATHSIG: Final = 1
_SET_CHILD_SUBREAPER: Final = 36


def main() -> None:
    """Keep the child, and end like the child."""
    lifeline = int(os.environ.pop(LIFELINE))
    adopt_orphans()
    child = int(sys.argv[2]) if sys.argv[1] == FORKED else _start(lifeline)
    status = _wait(child, lifeline)
    _end_family()
    _reaped(child)
    _end_as(status)


def adopt_orphans() -> None:
    """Make this process the parent of all processes below it whose own parent ends."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with(keeper: int) -> None:
    """Let the kernel end this process when its parent ends, which is that keeper."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)


def _start(lifeline: int) -> int:
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(lifeline)
        _become_the_child(keeper)
    return child


def _become_the_child(keeper: int) -> NoReturn:
    """Start a new interpreter, because Apple's frameworks refuse to work after only a fork."""
    die_with(keeper)
    os.execv(sys.executable, [sys.executable, "-P", "-m", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _wait(child: int, lifeline: int) -> int:
    """The child's status, or that of a kill if the gate is gone."""
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
    """The child's status if it has ended; ended orphans are reaped on the way."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            if ended[0] == child:
                return ended[1]
    return None


def _end_family() -> None:
    from coreml_gate.children.family import end_family  # noqa: PLC0415 - the child need not wait for psutil

    end_family()


def _end_as(status: int) -> None:
    """End this process with the same exit code, or by the same signal."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if not number else 1)


if __name__ == "__main__":
    main()
