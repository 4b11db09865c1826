"""The child that times: base, head and a second copy of the base in one process."""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from coreml_gate.engines.coreml import compile_package, load_core_ml
from coreml_gate.engines.machine import power_state
from coreml_gate.mil.package import read_package
from coreml_gate.runtime import load
from coreml_gate.timing.rounds import Rounds, percentile_95, time_rounds
from coreml_gate.worker.core_ml_job import CoreMlJob, Engine, PackageAsked
from coreml_gate.worker.events import EventLog
from coreml_gate.worker.expected import read_expected

Inputs = Mapping[str, Any]
Call = Callable[[], object]
BASE, HEAD, AGAIN = "base", "head", "again"
Prepare = Callable[[CoreMlJob, PackageAsked, Path], Path]
Open = Callable[[CoreMlJob, PackageAsked, Path, Inputs], Call]


def time_job(job: CoreMlJob, log: EventLog) -> None:
    """Compile, load and predict base, head and base again, each step in random order; report the ratios."""
    if job.base is None or job.expected is None:
        raise ValueError("a job that times needs a base and samples")
    order = random.Random(job.seed)  # noqa: S311 - an order, no secret
    asked = {BASE: job.base, HEAD: job.package, AGAIN: job.base}
    inputs = read_expected(job.expected)[0].inputs
    prepare, open_ = ENGINES[job.engine]
    log.begin("compile")
    compiled = _each(asked, order, lambda name: prepare(job, asked[name], job.folder / name))
    log.update(compile=_ratios(compiled))
    log.begin("load")
    opened = _each(asked, order, lambda name: open_(job, asked[name], compiled[name][0], inputs))
    log.update(load=_ratios(opened))
    log.begin("predict")
    first = _each(asked, order, lambda name: opened[name][0]())
    log.update(first=_ratios(first))
    log.begin("time")
    calls = {name: call for name, (call, _) in opened.items()}
    rounds = time_rounds(calls, job.pairs, order=order, clock=time.perf_counter, state=power_state)
    log.update(predict=_predict_facts(rounds))


def _each(
    asked: Mapping[str, object], order: random.Random, do: Callable[[str], Any]
) -> dict[str, tuple[Any, float]]:
    """What ``do`` gives for each name, and the seconds that it took, in random order."""
    names = list(asked)
    order.shuffle(names)
    done = {}
    for name in names:
        start = time.perf_counter()
        result = do(name)
        done[name] = (result, max(time.perf_counter() - start, 1e-9))
    return done


def _ratios(done: Mapping[str, tuple[object, float]]) -> dict[str, float]:
    base, head, again = (done[name][1] for name in (BASE, HEAD, AGAIN))
    return {
        "base_ms": 1e3 * base,
        "head_ms": 1e3 * head,
        "log_ratio": math.log(head / base),
        "self_test": math.log(again / base),
    }


def _predict_facts(rounds: Rounds) -> dict[str, object]:
    if not rounds.samples[BASE]:
        return {"warm_up": rounds.warm_up, "settled": rounds.settled, "dropped": rounds.dropped}
    return {
        "warm_up": rounds.warm_up,
        "settled": rounds.settled,
        "dropped": rounds.dropped,
        "base_ms": 1e3 * statistics.median(rounds.samples[BASE]),
        "head_ms": 1e3 * statistics.median(rounds.samples[HEAD]),
        "base_p95_ms": 1e3 * percentile_95(rounds.calls[BASE]),
        "head_p95_ms": 1e3 * percentile_95(rounds.calls[HEAD]),
        "log_ratios": list(rounds.log_ratios(BASE, HEAD)),
        "self_test": list(rounds.log_ratios(BASE, AGAIN)),
        "log_ratio_p95": rounds.log_ratio_of_tails(BASE, HEAD),
        "self_test_p95": rounds.log_ratio_of_tails(BASE, AGAIN),
    }


def _compile_core_ml(_: CoreMlJob, asked: PackageAsked, folder: Path) -> Path:
    return compile_package(asked.path, folder)


def _open_core_ml(job: CoreMlJob, asked: PackageAsked, compiled: Path, inputs: Inputs) -> Call:
    engine = load_core_ml(
        compiled, job.units, asked.inputs, asked.outputs, stateful=asked.stateful, function=asked.function
    )
    given, state = engine.given(inputs), engine.new_state()
    return lambda: engine.model.predict(dict(given), state)


def _nothing_to_compile(_: CoreMlJob, asked: PackageAsked, __: Path) -> Path:
    return asked.path


def _open_mil(_: CoreMlJob, asked: PackageAsked, path: Path, inputs: Inputs) -> Call:
    model = load(read_package(path), asked.function, mode="fp16")
    state = model.make_state() if model.interface.states else None
    return lambda: model.predict(inputs, state)


ENGINES: Final[Mapping[Engine, tuple[Prepare, Open]]] = {
    "core-ml": (_compile_core_ml, _open_core_ml),
    "mil": (_nothing_to_compile, _open_mil),
}
"""How a package is made ready and opened; the time of our runtime is never shown as the phone's."""
