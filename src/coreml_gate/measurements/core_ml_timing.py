"""Times base and head in one process: compiling, loading, and predicting in random order."""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from pydantic import NonNegativeFloat, NonNegativeInt

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import DescribedPackage, PackageJob, TimedEngine
from coreml_gate.frozen import changed
from coreml_gate.measurements.core_ml_predict import COMPILED
from coreml_gate.measurements.foreign_errors import core_ml
from coreml_gate.record.base import Measured, Part
from coreml_gate.untyped import CoreMlObject

if TYPE_CHECKING:
    from coreml_gate.timing.rounds import Rounds

BASE, HEAD, AGAIN = "base", "head", "again"
Inputs = Mapping[str, CoreMlObject]
Made = TypeVar("Made")


class StepTimes(Measured):
    """The times of one step, done once for base, head, and the base's second copy."""

    base_ms: NonNegativeFloat
    head_ms: NonNegativeFloat
    log_ratio: float
    """ln(head / base)."""
    self_test: float
    """ln(base again / base)."""


class PredictionTimes(Measured):
    """Prediction times of all rounds; empty if no round was kept."""

    warm_up: NonNegativeInt
    settled: bool
    dropped: NonNegativeInt
    base_ms: NonNegativeFloat | None = None
    head_ms: NonNegativeFloat | None = None
    base_p95_ms: NonNegativeFloat | None = None
    head_p95_ms: NonNegativeFloat | None = None
    base_wall_ms: NonNegativeFloat | None = None
    head_wall_ms: NonNegativeFloat | None = None
    """The wall-clock time, if the other times are by Core ML's own clock."""
    log_ratios: tuple[float, ...] = ()
    self_test: tuple[float, ...] = ()
    log_ratio_p95: float | None = None
    self_test_p95: float | None = None


class ProcessTimes(Part):
    """The times from one process, complete or up to where it ended."""

    FIELD: ClassVar[str] = "times"

    compile: StepTimes | None = None
    load: StepTimes | None = None
    first: StepTimes | None = None
    predict: PredictionTimes | None = None


PARTS: Final = (ProcessTimes,)
STEPS: Final[Mapping[str, str]] = {
    "compile": "compiling the packages",
    f"load-{BASE}": "loading the base's model",
    f"load-{HEAD}": "loading the head's model",
    f"load-{AGAIN}": "loading the base's model a second time",
    "predict": "predicting for the first time",
    "time": "timing predictions",
}
CHILD: Final = "own"
ORDERS: Final = (
    (BASE, HEAD, AGAIN),
    (HEAD, AGAIN, BASE),
    (AGAIN, BASE, HEAD),
    (HEAD, BASE, AGAIN),
    (BASE, AGAIN, HEAD),
    (AGAIN, HEAD, BASE),
)
"""The loading order of successive processes, so that the cost of the first load does not fall on the head.

Every second process loads the head before the base, and no three in a row begin with the same one. In random
order three of three, which can decide, would often agree by chance (docs/timing.md).
"""


def run(job: PackageJob, log: EventLog) -> None:
    """Compile, load and predict base, head and the base's second copy: in random order, loads in turn."""
    with core_ml(job):
        _measure(job, log)


def _measure(job: PackageJob, log: EventLog) -> None:
    from coreml_gate.children.reference_data import read_reference_data
    from coreml_gate.engines.machine import power_state
    from coreml_gate.timing.rounds import time_rounds

    if job.base is None or job.reference is None:
        raise ValueError("a job that times needs a base and samples")
    in_turn = ORDERS[job.seed % len(ORDERS)]
    order = random.Random(job.seed)  # noqa: S311 - an order, no secret
    packages = {BASE: job.base, HEAD: job.package, AGAIN: job.base}
    inputs = read_reference_data(job.reference)[0].inputs
    prepare, open_ = ENGINES[job.engine]
    log.begin("compile")
    shuffled = order.sample(list(packages), len(packages))
    compiled = _each(shuffled, lambda name: prepare(job, packages[name], job.folder / COMPILED))
    log.put(found := ProcessTimes(compile=_times({name: took for name, (_, took) in compiled.items()})))
    paths = {name: path for name, (path, _) in compiled.items()} | job.compiled

    def load(name: str) -> "TimedModel":
        log.begin(f"load-{name}")
        return open_(job, packages[name], paths[name], inputs)

    opened = {name: model for name, (model, _) in _each(in_turn, load).items()}
    log.put(found := changed(found, load=_times({name: model.load_s for name, model in opened.items()})))
    log.begin("predict")
    first = _each(in_turn, lambda name: opened[name].predict())
    log.put(found := changed(found, first=_times({name: own for name, (own, _) in first.items()})))
    log.begin("time")
    calls = {name: model.predict for name, model in opened.items()}
    rounds = time_rounds(calls, job.pairs, order=order, state=power_state)
    walls = {name: model.wall_s for name, model in opened.items()}
    log.put(changed(found, predict=_predictions(rounds, walls)))


@dataclass(frozen=True)
class TimedModel:
    """A loaded model that predicts one sample, with the time by its own clock."""

    predict: Callable[[], float]
    """Predicts once and returns the seconds."""
    load_s: float
    wall_s: Sequence[float] = ()
    """Wall-clock seconds of each prediction, if ``predict`` uses another clock."""


def _each(names: Sequence[str], do: Callable[[str], Made]) -> dict[str, tuple[Made, float]]:
    """The result of ``do`` for each name, in this order, and the seconds that each call took."""
    done = {}
    for name in names:
        start = time.perf_counter()
        result = do(name)
        done[name] = (result, time.perf_counter() - start)
    return done


def _times(seconds: Mapping[str, float]) -> StepTimes:
    base, head, again = (max(seconds[name], 1e-9) for name in (BASE, HEAD, AGAIN))
    return StepTimes(
        base_ms=1e3 * base,
        head_ms=1e3 * head,
        log_ratio=math.log(head / base),
        self_test=math.log(again / base),
    )


def _predictions(rounds: "Rounds", walls: Mapping[str, Sequence[float]]) -> PredictionTimes:
    from coreml_gate.timing.rounds import percentile_95

    found = PredictionTimes(warm_up=rounds.warm_up, settled=rounds.settled, dropped=rounds.dropped)
    if not rounds.samples[BASE]:
        return found
    return changed(
        found,
        base_ms=1e3 * statistics.median(rounds.samples[BASE]),
        head_ms=1e3 * statistics.median(rounds.samples[HEAD]),
        base_p95_ms=1e3 * percentile_95(rounds.calls[BASE]),
        head_p95_ms=1e3 * percentile_95(rounds.calls[HEAD]),
        base_wall_ms=_median_ms(walls[BASE][-len(rounds.calls[BASE]) :]),
        head_wall_ms=_median_ms(walls[HEAD][-len(rounds.calls[HEAD]) :]),
        log_ratios=tuple(rounds.log_ratios(BASE, HEAD)),
        self_test=tuple(rounds.log_ratios(BASE, AGAIN)),
        log_ratio_p95=rounds.log_ratio_of_tails(BASE, HEAD),
        self_test_p95=rounds.log_ratio_of_tails(BASE, AGAIN),
    )


def _median_ms(seconds: Sequence[float]) -> float | None:
    return 1e3 * statistics.median(seconds) if seconds else None


def _compile_core_ml(_: PackageJob, package: DescribedPackage, folder: Path) -> Path:
    from coreml_gate.engines.coreml import compile_package

    return compile_package(package.path, folder)


def _open_core_ml(job: PackageJob, package: DescribedPackage, compiled: Path, inputs: Inputs) -> TimedModel:
    """Time by Core ML's own clock, without the work of coremltools around the prediction."""
    from coreml_gate.engines.coreml import load_core_ml

    engine = load_core_ml(
        compiled,
        job.units,
        package.inputs,
        package.outputs,
        stateful=package.stateful,
        function=package.function,
    )
    given, state = engine.given(inputs), engine.new_state()
    walls: list[float] = []

    def predict() -> float:
        start = time.perf_counter()
        engine.model.predict(dict(given), state)
        walls.append(time.perf_counter() - start)
        return engine.last_prediction_s()

    return TimedModel(predict, engine.load_s(), walls)


def _nothing_to_compile(_: PackageJob, package: DescribedPackage, __: Path) -> Path:
    return package.path


def _open_mil(_: PackageJob, package: DescribedPackage, path: Path, inputs: Inputs) -> TimedModel:
    from coreml_gate.mil.package import read_package
    from coreml_gate.runtime import load
    from coreml_gate.timing.rounds import on_clock

    start = time.perf_counter()
    model = load(read_package(path), package.function, mode="fp16")
    took = time.perf_counter() - start
    state = model.make_state()
    return TimedModel(on_clock(lambda: model.predict(inputs, state), time.perf_counter), took)


ENGINES: Final[
    Mapping[
        TimedEngine,
        tuple[
            Callable[[PackageJob, DescribedPackage, Path], Path],
            Callable[[PackageJob, DescribedPackage, Path, Inputs], TimedModel],
        ],
    ]
] = {
    "core-ml": (_compile_core_ml, _open_core_ml),
    "mil": (_nothing_to_compile, _open_mil),
}
"""How each engine prepares and opens a package; our runtime's times are never shown as a phone's."""
