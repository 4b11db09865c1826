"""Finds and ends the processes that a child started, whatever session they moved to."""

import os
import time
from typing import Final

import psutil

from coreml_gate.children.variables import MARK

_WAIT_S: Final = 5.0


def end_family(mark: str | None = None, group: int | None = None) -> None:
    """Kill all processes below this one, or with ``mark`` those with that mark or in that group.

    Repeats until none is left. A killed process loses its mark before its memory, so it is still waited for.
    """
    until = time.monotonic() + _WAIT_S
    family: set[psutil.Process] = set()
    while (family := {*_found(mark, group), *filter(_runs, family)}) and time.monotonic() < until:
        for process in family:
            _kill(process)
        psutil.wait_procs(family, timeout=0.2)


def resident_bytes(pid: int) -> int:
    """The resident memory of a process and everything below it."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_resident_bytes_of(process) for process in family)


def _found(mark: str | None, group: int | None) -> list[psutil.Process]:
    return _below() if mark is None else _marked(mark, group)


def _below() -> list[psutil.Process]:
    """This process's running descendants; those whose parents ended are found by their mark."""
    own = psutil.Process().children(recursive=True)
    mark = os.environ.get(MARK)
    marked = [] if mark is None else _marked(mark)
    return [process for process in {*own, *marked} if _runs(process)]


def _marked(mark: str, group: int | None = None) -> list[psutil.Process]:
    others = (process for process in psutil.process_iter() if process.pid != os.getpid())
    return [
        process
        for process in others
        if (_group_of(process) == group or _mark_of(process) == mark) and _runs(process)
    ]


def _group_of(process: psutil.Process) -> int:
    try:
        return os.getpgid(process.pid)
    except OSError:
        return -1


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return


def _resident_bytes_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
