"""How a process is started: the form that plain processes share with those that a server forks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ProcessRequest:
    """What to run, where, and which descriptors it is given."""

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    output: int
    """Takes what it prints, standard error included."""
    lifeline: int
    """The reading end of a pipe, which it inherits under the same number."""
    stdin: int | None = None
    """What it reads; ``None``: nothing."""


class Started(Protocol):
    """A process that was started in a session of its own."""

    @property
    def pid(self) -> int:
        """Its number, which is that of its process group as well."""

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; ``None`` while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same when it has ended; raises :class:`subprocess.TimeoutExpired`."""


Start = Callable[[ProcessRequest], Started]


def start_process(request: ProcessRequest) -> Started:
    """A fresh process."""
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
