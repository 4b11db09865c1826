"""What children cost that import their libraries, forks of a process that has imported them, and two at once.

    OMP_NUM_THREADS=1 python benchmarks/children/bench.py [--models 10] [--rounds 3]

Measures small models by fresh processes one after the other, by forks one after the other, and by forks two
at a time, in turns; prints wall time, CPU time and the greatest memory of all processes together (shared
pages counted once, Linux's PSS) of each.
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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from coreml_gate.children.job import ModelJob
from coreml_gate.children.process import Hooks, ProcessLimits
from coreml_gate.children.warm import WarmChildren
from coreml_gate.config import ModelConfig
from coreml_gate.gate.at_once import Room, StopCheck, Work, run_at_once
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


@dataclass(frozen=True)
class Way:
    """How the models are measured."""

    libraries: tuple[str, ...]
    """What a server imports; without any, there is none."""
    jobs: int


WAYS: Final = {
    "fresh processes": Way((), 1),
    "forks": Way(LIBRARIES, 1),
    "forks, 2 jobs": Way(LIBRARIES, 2),
}
_SAMPLED_EVERY_S: Final = 0.5


@dataclass(frozen=True)
class Cost:
    """Of all models together."""

    wall_s: float
    cpu_s: float
    greatest_bytes: int


def cost(way: Way, models: int, folder: Path) -> Cost:
    """Measure all models in that way."""
    (folder / "net.py").write_text(NET, encoding="utf-8")
    started, before = time.monotonic(), _cpu_s()
    with WarmChildren(way.libraries, print) as start, _greatest_memory() as greatest:
        supervisor = Supervisor(os.environ, ProcessLimits(600), start=start)
        tasks = [
            Work(partial(_measure, _job(folder, f"net-{number}"), supervisor), 0) for number in range(models)
        ]
        outcome = run_at_once(tasks, Room(way.jobs, 1))
    if outcome.error is not None:
        raise outcome.error
    return Cost(time.monotonic() - started, _cpu_s() - before, max(greatest, default=0))


def _measure(job: ModelJob, supervisor: Supervisor, check: StopCheck) -> None:
    record = measure_model(job, replace(supervisor, hooks=Hooks(poll=check)))
    if record.problem is not None:
        raise SystemExit(record.problem.message)


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
    """Medians of all ways, and the ratio of each to the first."""
    rows = [f"| | {' | '.join(WAYS)} |", "|:--|" + "--:|" * len(WAYS)]
    for name, unit, field, scale in (
        ("wall", "s", "wall_s", 1),
        ("CPU", "s", "cpu_s", 1),
        ("memory", "MB", "greatest_bytes", 1e6),
    ):
        medians = [statistics.median(getattr(each, field) / scale for each in costs[way]) for way in WAYS]
        cells = (f"{each:,.1f} {unit} ({each / medians[0]:.2f})" for each in medians)
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """All ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    costs: dict[str, list[Cost]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, found in costs.items():
            with tempfile.TemporaryDirectory() as folder:
                found.append(cost(WAYS[way], options.models, Path(folder)))
    print(f"{options.models} models, medians of {options.rounds} rounds\n\n{table(costs)}")


if __name__ == "__main__":
    main()
