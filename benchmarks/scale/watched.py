"""A command while it runs: its processor time, and the memory of all its processes, by phase."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

INTERVAL_S = 0.05


@dataclass
class Watched:
    """``phases`` are the lines of progress that the gate writes, each with the peak until the next one."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    failure: str = ""


def watch(command: Sequence[str], folder: Path, done: Collection[int] = (0,)) -> Watched:
    """Runs it to its end: the peak is that of the largest process, ``done`` are the exit codes of success."""
    found, lines, started, before = Watched(), ["start"], time.perf_counter(), _cpu_of_children()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        reader = threading.Thread(target=lambda: lines.extend(line.strip() for line in process.stderr or ()))
        reader.start()
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            now = _largest(tree)
            found.peak_bytes = max(found.peak_bytes, now)
            found.phases[lines[-1]] = max(found.phases.get(lines[-1], 0), now)
            time.sleep(INTERVAL_S)
        reader.join()
    found.seconds = time.perf_counter() - started
    found.cpu_seconds = _cpu_of_children() - before
    if process.returncode not in done:
        found.failure = f"exit code {process.returncode}: {' '.join(lines[-3:])}"
    return found


def _cpu_of_children() -> float:
    """Of those that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _largest(tree: psutil.Process) -> int:
    largest = 0
    for process in _living(tree):
        try:
            largest = max(largest, process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return largest


def _living(tree: psutil.Process) -> list[psutil.Process]:
    try:
        return [tree, *tree.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
