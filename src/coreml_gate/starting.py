"""How a process is started: the interface shared by plain processes and those that a server forks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ProcessRequest:
    """What to run, where, and with which descriptors."""

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    output: int
    """Receives standard output and standard error."""
    lifeline: int
    """The reading end of a pipe, inherited under the same number."""
    stdin: int | None = None
    """Standard input; ``None`` for none."""


class Started(Protocol):
    """A running process in a session of its own."""

    @property
    def pid(self) -> int:
        """Its number, which is also that of its process group."""

    def poll(self) -> int | None:
        """Its exit code, or minus the number of the signal that ended it; ``None`` while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, then the same; raises :class:`subprocess.TimeoutExpired`."""


Start = Callable[[ProcessRequest], Started]


def start_process(request: ProcessRequest) -> Started:
    """Start a fresh process."""
    import subprocess  # noqa: PLC0415 - most commands start nothing

    return subprocess.Popen(
        request.command,
        cwd=request.folder,
        env=request.environment,
        stdin=subprocess.DEVNULL if request.stdin is None else request.stdin,
        stdout=request.output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(request.lifeline,),
    )
