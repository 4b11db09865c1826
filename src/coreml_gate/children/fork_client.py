"""The gate's side of the process that forks children (:mod:`coreml_gate.children.fork_server`)."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Final

from coreml_gate.children import fork_server
from coreml_gate.children.fork_server import NUMBER, Order
from coreml_gate.children.keeper import COMMAND
from coreml_gate.children.process import kept
from coreml_gate.starting import ProcessRequest, start_process

_START_S: Final = 120.0
"""Seconds for importing the libraries; with a cold disk they take half a minute."""
_END_S: Final = 10.0
_LAST_WORDS: Final = 2_000


class ServerGoneError(OSError):
    """The server cannot start, or has ended."""


def can_fork(command: Sequence[str]) -> bool:
    """Whether a fork can run the command: on Linux, with the gate's own interpreter below a keeper."""
    return sys.platform == "linux" and tuple(command[: len(COMMAND)]) == COMMAND


class Forked:
    """A process that a server forked and whose end the server reports."""

    def __init__(self, pid: int, answers: int) -> None:
        self.pid = pid
        self._answers = answers
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code; ``None`` while it runs."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; for a killed process whose end is not reported, that of the kill."""
        code = self._ended_within(_END_S if timeout is None else timeout)
        if code is not None:
            return code
        if timeout is not None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self._end(-signal.SIGKILL)

    def _ended_within(self, seconds: float) -> int | None:
        if self._code is None and _is_readable(self._answers, seconds):
            code = _number(self._answers)
            self._end(-signal.SIGKILL if code is None else code)
        return self._code

    def _end(self, code: int) -> int:
        os.close(self._answers)
        self._code = code
        return code


class ForkServer:
    """A process that has imported ``modules`` and forks children on request."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        self._stack = ExitStack()
        self._stack.callback(self._control.close)
        self._output: IO[bytes] = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        command = (*COMMAND, fork_server.MODULE, *modules)
        with theirs:
            self._stack.enter_context(
                kept(start_process, command, Path("/"), environment, self._output.fileno(), theirs.fileno())
            )

    def fork(self, request: ProcessRequest) -> Forked:
        """Start the requested process; raises :class:`ServerGoneError`."""
        module, *arguments = request.command[len(COMMAND) :]
        order = Order(module, tuple(arguments), str(request.folder), request.environment).write()
        answers, theirs = os.pipe()
        try:
            with suppress(OSError):  # the response is then missing as well, and its end of file shows that
                descriptors = [order, request.output, request.lifeline, theirs]
                socket.send_fds(self._control, [b"\0"], descriptors)
        finally:
            os.close(order)
            os.close(theirs)
        pid = _number(answers) if _is_readable(answers, _START_S) else None
        if pid is None:
            os.close(answers)
            raise ServerGoneError(self._last_words())
        return Forked(pid, answers)

    def close(self) -> None:
        """End the server and everything below it."""
        self._stack.close()

    def _last_words(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _LAST_WORDS))
        lines = self._output.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")


def _is_readable(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


def _number(descriptor: int) -> int | None:
    """The next number in a pipe; ``None`` at its end."""
    content = os.read(descriptor, NUMBER.size)
    return NUMBER.unpack(content)[0] if len(content) == NUMBER.size else None
