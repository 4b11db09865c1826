"""Where does the runtime spend its time?

    python benchmarks/zoo/hotspots.py resnet50 [--threads 1] [--cpu-time]

Prints the kinds of operations that take most, of torch eager (by torch.profiler) and of both of our modes (by
the observer, which adds a few microseconds per operation).
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

ZOO = Path(__file__).parent
sys.path.insert(0, str(ZOO.parent))

from coreml_gate.config.load import load_config  # noqa: E402
from coreml_gate.mil.ir import Operation  # noqa: E402
from zoo.child import measure  # noqa: E402 - the folder of the zoo has to be on the path first
from zoo.row import Row  # noqa: E402
from zoo.variants import Mode, Subject, eager  # noqa: E402

RUNS = 5
SHOWN = 8
Clock = Callable[[], float]
Seconds = dict[str, float]
"""By operation type."""


def ours(subject: Subject, mode: Mode, clock: Clock) -> tuple[Seconds, float]:
    """Seconds per operation type and of a whole run without an observer, both the mean of ``RUNS``."""
    engine = subject.engine(mode)
    inputs = engine.inputs(subject.sample)
    engine.model.predict(inputs)
    seconds: Seconds = defaultdict(float)
    for _ in range(RUNS):
        last = clock()

        def observe(operation: Operation, _: Mapping[str, Any], __: tuple[Any, ...]) -> None:
            nonlocal last
            seconds[operation.type] += (clock() - last) / RUNS
            last = clock()

        engine.model.predict(inputs, observe=observe)
    started = clock()
    for _ in range(RUNS):
        engine.model.predict(inputs)
    return seconds, (clock() - started) / RUNS


def torchs(subject: Subject) -> Seconds:
    """Seconds of self time per ATen operator in eager mode."""
    run = eager(subject)
    run()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(RUNS):
            run()
    return {item.key: item.self_cpu_time_total / 1e6 / RUNS for item in profiler.key_averages()}


def line(name: str, seconds: Seconds) -> str:
    total = sum(seconds.values())
    most = sorted(seconds.items(), key=lambda item: -item[1])[:SHOWN]
    parts = [f"{kind} {1e3 * value:.2f}" for kind, value in most]
    return f"{name:6} {1e3 * total:8.2f} ms: {', '.join(parts)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds: for a busy machine")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    config = next(model for model in load_config(ZOO).model if model.name == options.model)
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(config, ZOO, Path(folder), options.threads)
        converted = next(measure(subject, Row(model=options.model), 0, clock))
        if converted.failures:
            sys.exit(converted.failures[0])
        print(line("eager", torchs(subject)))
        for mode in ("fp32", "fp16"):
            seconds, whole = ours(subject, mode, clock)
            print(line(mode, seconds), f"(a run without observer: {1e3 * whole:.2f} ms)")


if __name__ == "__main__":
    main()
