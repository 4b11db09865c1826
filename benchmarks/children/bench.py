"""What children cost that import their libraries, against forks of a process that has imported them.

    OMP_NUM_THREADS=1 python benchmarks/children/bench.py [--models 10] [--rounds 3]

Measures small models one after the other, by fresh processes and by forks in turns, and prints wall time, CPU
time and the greatest memory of all processes together (shared pages counted once, Linux's PSS) of both.
"""

import argparse
import os
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from coreml_gate.children.job import ModelJob
from coreml_gate.children.process import ProcessLimits
from coreml_gate.children.warm import WarmChildren
from coreml_gate.config import ModelConfig
from coreml_gate.worker.libraries import LIBRARIES
from coreml_gate.worker.models import measure_model
from coreml_gate.worker.supervisor import Supervisor

NET: Final = """
import torch


def build():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 10)
    return torch.nn.Sequential(*layers)


def samples():
    torch.manual_seed(1)
    return [torch.randn(1, 3, 8, 8) for _ in range(4)]
"""
LIBRARIES_OF: Final = {"fresh": (), "forked": LIBRARIES}
"""What a server imports; without any, there is none."""
_SAMPLED_EVERY_S: Final = 0.5


@dataclass(frozen=True)
class Cost:
    """Of all models together."""

    wall_s: float
    cpu_s: float
    greatest_bytes: int


def cost(way: str, models: int, folder: Path) -> Cost:
    """Measure all models in that way."""
    (folder / "net.py").write_text(NET, encoding="utf-8")
    started, before = time.monotonic(), _cpu_s()
    with WarmChildren(LIBRARIES_OF[way], print) as start, _greatest_memory() as greatest:
        supervisor = Supervisor(os.environ, ProcessLimits(600), start=start)
        for number in range(models):
            record = measure_model(_job(folder, f"net-{number}"), supervisor)
            if record.problem is not None:
                raise SystemExit(record.problem.message)
    return Cost(time.monotonic() - started, _cpu_s() - before, max(greatest, default=0))


def _job(folder: Path, name: str) -> ModelJob:
    config = ModelConfig(name=name, source="net.py:build", samples="net.py:samples")
    return ModelJob(root=folder, record_folder=folder / "out", model=config, closure=name, max_samples=4)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _greatest_memory() -> Iterator[list[int]]:
    """What all processes below this one hold together, looked at every half second."""
    sizes: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(_SAMPLED_EVERY_S):
            sizes.append(sum(_shared_fairly(each) for each in psutil.Process().children(recursive=True)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()


def _shared_fairly(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def table(costs: dict[str, list[Cost]]) -> str:
    """Medians of both ways, and the ratio of the second to the first."""
    rows = ["| | fresh processes | forks | ratio |", "|:--|--:|--:|--:|"]
    for name, unit, field, scale in (
        ("wall", "s", "wall_s", 1),
        ("CPU", "s", "cpu_s", 1),
        ("memory", "MB", "greatest_bytes", 1e6),
    ):
        fresh, forked = (
            statistics.median(getattr(each, field) / scale for each in costs[way]) for way in LIBRARIES_OF
        )
        rows.append(f"| {name} | {fresh:,.1f} {unit} | {forked:,.1f} {unit} | {forked / fresh:.2f} |")
    return "\n".join(rows)


def main() -> None:
    """Both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    costs: dict[str, list[Cost]] = {way: [] for way in LIBRARIES_OF}
    for _ in range(options.rounds):
        for way, found in costs.items():
            with tempfile.TemporaryDirectory() as folder:
                found.append(cost(way, options.models, Path(folder)))
    print(f"{options.models} models, medians of {options.rounds} rounds\n\n{table(costs)}")


if __name__ == "__main__":
    main()
