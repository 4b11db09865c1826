"""What it costs that OpenMP's threads spin while they wait, and what it saves that they soon sleep.

    python benchmarks/children/waiting.py [--rounds 3]

Runs a small convolutional net in one process and in several at once, each with a thread for every core, in
turns: threads spin as by default, for a moment as in the gate's children, or not at all. Prints CPU and wall
time of all processes together.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Final

from coreml_gate.children.process import environment_of_children

NET: Final = """
import torch

torch.manual_seed(0)
layers = [part for _ in range(8) for part in (torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ReLU())]
net = torch.nn.Sequential(*layers)
x = torch.randn(1, 16, 64, 64)
with torch.inference_mode():
    for _ in range(400):
        net(x)
"""
POLICIES: Final = {
    "spinning": {},
    "spinning for a moment": environment_of_children({}),
    "sleeping": {"OMP_WAIT_POLICY": "passive"},
}
AT_ONCE: Final = (1, 4)


def times(policy: str, at_once: int, threads: int) -> tuple[float, float]:
    """CPU and wall seconds of so many processes at once."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), **POLICIES[policy]}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [subprocess.Popen([sys.executable, "-c", NET], env=environment) for _ in range(at_once)]
    failed = [child.returncode for child in running if child.wait() != 0]
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if failed:
        raise SystemExit(f"{len(failed)} of {at_once} processes failed")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    threads = max(os.cpu_count() or 1, 2)
    print(f"{threads} threads each, {rounds} rounds, load average {os.getloadavg()[0]:.1f}")
    for at_once in AT_ONCE:
        taken = [{policy: times(policy, at_once, threads) for policy in POLICIES} for _ in range(rounds)]
        for policy in POLICIES:
            cpu, wall = map(statistics.median, zip(*(turn[policy] for turn in taken), strict=True))
            print(f"{at_once} at once, {policy}: {cpu:.1f} s CPU, {wall:.1f} s")


if __name__ == "__main__":
    main()
