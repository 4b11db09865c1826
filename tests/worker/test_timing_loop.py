"""Are processes started until the question is answered, and are their pairs kept with their groups?"""

import math
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.events import NOTHING, Events
from coreml_gate.children.job import PackageJob, TimedEngine
from coreml_gate.measurements.core_ml_timing import ProcessTimes
from coreml_gate.record import ChildEnding, Metric
from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS
from coreml_gate.worker import timing_loop as module
from coreml_gate.worker.supervisor import Report
from coreml_gate.worker.timing_loop import MOST_PROCESSES, PackagePair, TimingBudget, time_packages
from tests.worker.core_ml_case import around, build, expect

Child = Callable[[int], tuple[dict[str, Any], ChildEnding | None]]
NOISE = [0.3 * math.sin(1.7 * number) for number in range(PAIRS_PER_PROCESS)]
ENDING = ChildEnding(how="crashed", phase="load", message="killed by signal 6 (SIGABRT)")


def parts(ratio: float, noise: float = 0.0) -> dict[str, Any]:
    """What one child reports: head = ratio x base."""
    value = math.log(ratio)
    one = {"base_ms": 4.0, "head_ms": 4.0 * ratio, "log_ratio": value, "self_test": 0.0}
    predict = {
        "warm_up": 30,
        "settled": False,
        "dropped": 1,
        "base_ms": 4.0,
        "head_ms": 4.0 * ratio,
        "base_p95_ms": 5.0,
        "head_p95_ms": 5.0 * ratio,
        "log_ratios": [value + noise * each for each in NOISE],
        "self_test": [0.0] * PAIRS_PER_PROCESS,
        "log_ratio_p95": value,
        "self_test_p95": 0.0,
    }
    return {"compile": one, "load": one, "first": one, "predict": predict}


@pytest.fixture
def match(tmp_path: Path) -> Callable[..., PackagePair]:
    def make(engine: TimedEngine = "core-ml") -> PackagePair:
        package = build(tmp_path)
        expected = expect(tmp_path / "expected.npz")
        return PackagePair(package, package, "of base", "of head", expected, "CPU_ONLY", engine)

    return make


@pytest.fixture
def timed(
    monkeypatch: pytest.MonkeyPatch, match: Callable[..., PackagePair], tmp_path: Path
) -> Callable[..., tuple[Any, list[PackageJob]]]:
    def run(
        child: Child, budget_s: float = 1e9, ratios: dict[Metric, float] | None = None
    ) -> tuple[Any, list[PackageJob]]:
        jobs: list[PackageJob] = []

        def run_package(job: PackageJob, _: object) -> Report:
            jobs.append(job)
            times, ending = child(len(jobs))
            return Report(Events(parts=NOTHING.having(ProcessTimes.model_validate(times))), ending)

        monkeypatch.setattr(module, "run_package", run_package)
        ticks = count(step=10.0)
        effort = TimingBudget(ratios or {"predict": 1.05}, 0.05, budget_s, seed=7)
        return time_packages(match(), effort, tmp_path, around(), lambda: next(ticks)), jobs

    return run


@pytest.mark.parametrize("ratio", [1.0, 1.2])
def test_it_stops_as_soon_as_it_knows(timed: Any, ratio: float) -> None:
    timing, jobs = timed(lambda _: (parts(ratio), None))
    assert (timing.stopped, len(jobs)) == ("decided", 3)
    assert [job.seed for job in jobs] == [7, 8, 9]
    assert len({job.folder for job in jobs}) == 3
    predict = timing.of("predict")
    assert [len(group) for group in predict.log_ratios] == [PAIRS_PER_PROCESS] * 3
    assert (predict.base_ms, predict.head_ms) == (4.0, pytest.approx(4.0 * ratio))
    assert timing.of("load").log_ratios == ((math.log(ratio),),) * 3
    assert timing.of("predict-p95").base_ms == 5.0
    assert (timing.warm_up, timing.unsettled, timing.dropped) == ((30, 30, 30), 3, 3)


def test_a_limit_for_loading_takes_as_many_processes_as_it_needs(timed: Any) -> None:
    """Each process loads once: nine that agree are the fewest that can tell."""
    timing, jobs = timed(lambda _: (parts(1.0), None), ratios={"predict": 1.05, "load": 1.2})
    assert (timing.stopped, len(jobs)) == ("decided", 9)


def test_noise_costs_all_pairs_and_no_more(timed: Any) -> None:
    timing, jobs = timed(lambda _: (parts(1.05, noise=1.0), None))
    assert (timing.stopped, len(jobs)) == ("all pairs", LOOKS[-1] // PAIRS_PER_PROCESS)


def test_the_budget_ends_it_before_another_process_would_exceed_it(timed: Any) -> None:
    timing, jobs = timed(lambda _: (parts(1.05, noise=1.0), None), budget_s=100)
    assert timing.stopped == "time budget"
    assert 1 <= len(jobs) < LOOKS[-1] // PAIRS_PER_PROCESS


def test_a_process_that_crashes_leaves_the_pairs_of_those_before(timed: Any) -> None:
    timing, _ = timed(lambda number: (parts(1.0), None) if number < 2 else ({}, ENDING))
    assert (timing.stopped, timing.ending) == ("process ended", ENDING)
    assert [len(group) for group in timing.of("predict").log_ratios] == [PAIRS_PER_PROCESS]


def test_rounds_that_are_all_dropped_do_not_go_on_for_ever(timed: Any) -> None:
    timing, jobs = timed(lambda _: ({"predict": {"warm_up": 30, "settled": True, "dropped": 20}}, None))
    assert len(jobs) == MOST_PROCESSES
    assert (timing.metrics, timing.dropped) == ((), 20 * MOST_PROCESSES)


@pytest.mark.parametrize("engine", ["core-ml", "mil"])
def test_real_processes_give_pairs_of_every_metric(
    match: Callable[..., PackagePair], tmp_path: Path, engine: TimedEngine
) -> None:
    timing = time_packages(
        match(engine),
        TimingBudget({"predict": 1.05}, 0.05, 5.0),
        tmp_path,
        around(),
        count(step=3.0).__next__,
    )
    assert timing.ending is None
    assert timing.engine == engine
    assert [timed.metric for timed in timing.metrics] == [
        "predict",
        "predict-p95",
        "first-predict",
        "load",
        "compile",
    ]
    assert {len(group) for group in timing.metrics[0].log_ratios} == {PAIRS_PER_PROCESS}
    assert all(timed.base_ms > 0 for timed in timing.metrics)
