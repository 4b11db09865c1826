"""Logs the start and the end of a child's output, so that endless output cannot fill the disk."""

import contextlib
import os
import select
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from coreml_gate.children.files import fresh_file

HEAD_BYTES: Final = 2_000_000
TAIL_BYTES: Final = 2_000_000
TAIL_LINES: Final = 20
LINE_CHARACTERS: Final = 2_000
_CHUNK: Final = 65_536
_PIPE_BYTES: Final = 2**20
"""The capacity limit of a pipe (``/proc/sys/fs/pipe-max-size``)."""


class OutputLog:
    """Drains the output of a child into a file, in its own thread."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(fresh_file(path), "wb", buffering=0)
        self._tail: deque[bytes] = deque()
        self._head_left, self._tail_size, self._left_out = HEAD_BYTES, 0, 0
        self._output, self.input = os.pipe()
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._drain, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_input()
        os.close(self._stop)
        self._thread.join()
        self._write_tail()
        self._file.close()
        os.close(self._output)
        os.close(self._stopped)

    def close_input(self) -> None:
        """Close the writing end, of which the child has its own copy."""
        if self.input >= 0:
            os.close(self.input)
            self.input = -1

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that are not empty, each shortened to fit into a message."""
        text = b"".join(self._tail)[-TAIL_LINES * 10 * LINE_CHARACTERS :].decode(errors="replace")
        kept = [line.rstrip() for line in text.splitlines() if line.strip()][-TAIL_LINES:]
        return tuple(line[:LINE_CHARACTERS] for line in kept)

    def _drain(self) -> None:
        while True:
            readable, _, _ = select.select([self._output, self._stopped], [], [])
            if self._output in readable and not self._take(os.read(self._output, _CHUNK)):
                return
            if self._stopped in readable:
                self._drain_rest()
                return

    def _drain_rest(self) -> None:
        """Read the rest of the pipe when the child has ended, even if a process still prints."""
        os.set_blocking(self._output, False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(_PIPE_BYTES // _CHUNK):
                if not self._take(os.read(self._output, _CHUNK)):
                    return

    def _take(self, chunk: bytes) -> bool:
        """Store a chunk; an empty one marks the end."""
        head = chunk[: self._head_left]
        self._head_left -= len(head)
        self._left_out += len(chunk) - len(head)
        self._write(head)
        self._tail.append(chunk)
        self._tail_size += len(chunk)
        while self._tail_size - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_size -= len(self._tail.popleft())
        return bool(chunk)

    def _write_tail(self) -> None:
        """Write the tail, after a line that says how much is left out between head and tail."""
        if not self._left_out:
            return
        tail = b"".join(self._tail)[-min(self._left_out, TAIL_BYTES) :]
        if lost := self._left_out - len(tail):
            self._write(f"\n[{lost:,} bytes of output are left out here]\n".encode())
        self._write(tail)

    def _write(self, data: bytes) -> None:
        """Write to the log; a full disk affects only the log."""
        with contextlib.suppress(OSError):
            self._file.write(data)
