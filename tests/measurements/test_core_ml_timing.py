"""The times of one process: what each step is compared with, by which clock, and in which order."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coreml_gate.children.events import EventLog, Events
from coreml_gate.children.job import DescribedPackage, PackageJob
from coreml_gate.children.reference_data import ReferenceSample, write_reference_data
from coreml_gate.measurements import core_ml_timing as module
from coreml_gate.measurements.core_ml_timing import AGAIN, BASE, HEAD, ProcessTimes
from coreml_gate.mil.package import read_package
from coreml_gate.package_facts.description import package_facts
from coreml_gate.timing.rounds import Rounds
from tests.measurements.programs import doubled
from tests.reported import reported


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> DescribedPackage:
    folder = tmp_path_factory.mktemp("timed")
    path = doubled(folder / "net.mlpackage")
    return DescribedPackage.of(package_facts(read_package(path), path.name), folder)


@pytest.fixture
def job_of_times(asked: DescribedPackage, tmp_path: Path) -> Callable[..., PackageJob]:
    def make(**options: Any) -> PackageJob:
        (tmp_path / "job").mkdir(exist_ok=True)
        reference = tmp_path / "samples.npz"
        inputs = {"x": np.ones((1, 4), np.float32)}
        write_reference_data(reference, [ReferenceSample(inputs, {}, {})])
        defaults = {
            "only": ("core-ml-timing",),
            "folder": tmp_path / "job",
            "package": asked,
            "base": asked,
            "units": "CPU_ONLY",
            "reference": reference,
            "engine": "mil",
            "pairs": 6,
        }
        return PackageJob(**(defaults | options))

    return make


def timed(job: PackageJob) -> Events:
    return reported(job, lambda: module.run(job, EventLog(job.folder)))


def test_our_runtime_is_timed_through_every_step(job_of_times: Callable[..., PackageJob]) -> None:
    events = timed(job_of_times())
    found = events.parts.get(ProcessTimes)
    assert events.step == "time"
    assert found is not None
    for step in (found.compile, found.load, found.first):
        assert step is not None
        assert step.log_ratio == pytest.approx(math.log(step.head_ms / step.base_ms))
        assert abs(step.self_test) < 20
    assert found.predict is not None
    assert len(found.predict.log_ratios) == len(found.predict.self_test) == 6
    assert found.predict.base_ms is not None
    assert 0 < found.predict.base_ms < 1_000
    assert (found.predict.base_wall_ms, found.predict.head_wall_ms) == (None, None), "one clock is enough"


def test_each_load_is_a_step_and_so_has_a_deadline_of_its_own(
    job_of_times: Callable[..., PackageJob],
) -> None:
    begun: list[str] = []

    class Noted(EventLog):
        def begin(self, step: str) -> None:
            begun.append(step)
            super().begin(step)

    job = job_of_times()
    reported(job, lambda: module.run(job, Noted(job.folder)))
    assert begun[0] == "compile"
    assert sorted(begun[1:4]) == ["load-again", "load-base", "load-head"]
    assert begun[4:] == ["predict", "time"]


@pytest.mark.parametrize("missing", ["base", "reference"])
def test_a_job_that_cannot_time_says_what_it_lacks(
    missing: str, job_of_times: Callable[..., PackageJob]
) -> None:
    job = job_of_times(**{missing: None})
    with pytest.raises(Exception, match="needs a base and samples"):
        timed(job)


class Clock:
    """Each reading is what was waited meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_is_done_once_in_the_given_order_and_timed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, done = Clock(), []
    monkeypatch.setattr(module.time, "perf_counter", clock)
    seconds = {BASE: 1.0, HEAD: 2.0, AGAIN: 4.0}

    def do(name: str) -> str:
        done.append(name)
        clock.now += seconds[name]
        return name.upper()

    found = module._each((HEAD, AGAIN, BASE), do)
    assert found == {name: (name.upper(), took) for name, took in seconds.items()}
    assert done == [HEAD, AGAIN, BASE]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", range(3, 11))
def test_what_is_loaded_first_pays_in_too_few_processes_to_decide(count: int, seed: int) -> None:
    """A verdict takes three quarters of the processes."""
    orders = [module.ORDERS[process % 6] for process in range(seed, seed + count)]
    first = [order[0] for order in orders]
    earlier = [order.index(HEAD) < order.index(BASE) for order in orders]
    assert max(first.count(name) for name in (BASE, HEAD, AGAIN)) < 0.75 * count
    assert 0.25 * count < sum(earlier) < 0.75 * count


def test_the_orders_of_loads_are_all_that_there_are() -> None:
    assert sorted(module.ORDERS) == sorted(itertools.permutations((BASE, HEAD, AGAIN)))


def test_a_step_is_the_ratio_of_head_to_base_and_of_base_to_itself() -> None:
    found = module._times({BASE: 0.2, HEAD: 0.3, AGAIN: 0.1})
    assert (found.base_ms, found.head_ms) == pytest.approx((200.0, 300.0))
    assert (found.log_ratio, found.self_test) == pytest.approx((math.log(1.5), math.log(0.5)))


def test_a_time_of_zero_has_a_logarithm() -> None:
    found = module._times({BASE: 0.0, HEAD: 1e-9, AGAIN: 0.0})
    assert (found.log_ratio, found.self_test) == (0.0, 0.0)


def rounds(base: list[float], head: list[float], again: list[float]) -> Rounds:
    samples = {BASE: base, HEAD: head, AGAIN: again}
    return Rounds(samples=samples, calls=samples, warm_up=2, settled=True, dropped=1)


def test_predictions_are_medians_in_milliseconds_and_ratios_round_by_round() -> None:
    found = module._predictions(
        rounds([0.010, 0.012, 0.020], [0.011, 0.012, 0.030], [0.010, 0.006, 0.020]),
        {BASE: [9.0, 0.1, 0.2, 0.3], HEAD: [9.0, 0.4, 0.5, 0.6], AGAIN: []},
    )
    assert (found.warm_up, found.settled, found.dropped) == (2, True, 1)
    assert (found.base_ms, found.head_ms) == pytest.approx((12.0, 12.0))
    assert found.log_ratios == pytest.approx((math.log(1.1), 0.0, math.log(1.5)))
    assert found.self_test == pytest.approx((0.0, math.log(0.5), 0.0))
    assert (found.base_wall_ms, found.head_wall_ms) == pytest.approx((200.0, 500.0)), (
        "the warm-up is left out"
    )


def test_without_a_round_that_was_kept_there_are_no_times() -> None:
    found = module._predictions(rounds([], [], []), {BASE: [], HEAD: [], AGAIN: []})
    assert (found.base_ms, found.log_ratios, found.self_test) == (None, (), ())
    assert found.warm_up == 2


def test_core_ml_is_timed_by_its_own_clock_and_by_the_one_on_the_wall(
    monkeypatch: pytest.MonkeyPatch, asked: DescribedPackage
) -> None:
    clock = Clock()
    monkeypatch.setattr(module.time, "perf_counter", clock)
    seen: list[Any] = []

    class Model:
        def predict(self, given: Any, state: Any) -> None:
            seen.append((given, state))
            clock.now += 0.5

    engine = SimpleNamespace(
        model=Model(),
        given=lambda inputs: {"x": inputs["x"] + 1},
        new_state=lambda: "state",
        load_s=lambda: 0.25,
        last_prediction_s=lambda: 0.125,
    )
    monkeypatch.setattr("coreml_gate.engines.coreml.load_core_ml", lambda *_, **__: engine)
    job = SimpleNamespace(units="ALL")
    model = module._open_core_ml(job, asked, Path("net.mlmodelc"), {"x": 1})  # type: ignore[arg-type,dict-item]
    assert model.load_s == 0.25
    assert [model.predict(), model.predict()] == [0.125, 0.125]
    assert model.wall_s == [0.5, 0.5]
    assert seen == [({"x": 2}, "state")] * 2


def test_our_runtime_has_nothing_to_compile(asked: DescribedPackage) -> None:
    prepare, _ = module.ENGINES["mil"]
    assert prepare(None, asked, Path("elsewhere")) == asked.path  # type: ignore[arg-type]
