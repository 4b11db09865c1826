"""Where does the runtime spend its time?

    python benchmarks/zoo/hotspots.py resnet50 [--threads 1] [--cpu-time]

Prints the kinds of operations that take most, of torch eager and of both of our modes. Watching costs a few
microseconds per operation, so the time of a run that nobody watches stands beside it.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

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
    return seconds, mean_seconds(lambda: engine.model.predict(inputs), clock)


class Timed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the seconds of each ATen operator that reaches a kernel."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: Seconds = defaultdict(float)
        self._clock = clock

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operator gives
        started = self._clock()
        result = func(*args, **(kwargs or {}))
        self.seconds[func.overloadpacket.__name__] += (self._clock() - started) / RUNS
        return result


def torchs(subject: Subject, clock: Clock) -> tuple[Seconds, float]:
    """As :func:`ours`, of torch eager."""
    run = eager(subject)
    run()
    with Timed(clock) as timed:
        for _ in range(RUNS):
            run()
    return timed.seconds, mean_seconds(run, clock)


def mean_seconds(run: Callable[[], object], clock: Clock) -> float:
    started = clock()
    for _ in range(RUNS):
        run()
    return (clock() - started) / RUNS


def line(name: str, seconds: Seconds, whole: float) -> str:
    most = sorted(seconds.items(), key=lambda item: -item[1])[:SHOWN]
    parts = [f"{kind} {1e3 * value:.2f}" for kind, value in most]
    watched = 1e3 * sum(seconds.values())
    return f"{name:6} {1e3 * whole:8.2f} ms, watched {watched:.2f}: {', '.join(parts)}"


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
        print(line("eager", *torchs(subject, clock)))
        print(line("fp32", *ours(subject, "fp32", clock)))
        print(line("fp16", *ours(subject, "fp16", clock)))


if __name__ == "__main__":
    main()
