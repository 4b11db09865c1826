"""Are processes started until the question is answered, and are their pairs kept with their groups?"""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.children.events import NOTHING, Events
from coreml_gate.children.job import PackageJob, TimedEngine
from coreml_gate.children.process import Hooks
from coreml_gate.measurements.core_ml_cold_load import ColdLoad
from coreml_gate.measurements.core_ml_timing import ProcessTimes
from coreml_gate.record import ChildEnding, Metric
from coreml_gate.stand_in.script import VARIABLE
from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS
from coreml_gate.worker import timing_loop as module
from coreml_gate.worker.supervisor import Report
from coreml_gate.worker.timing_loop import MOST_PROCESSES, PackagePair, TimingBudget, time_packages
from tests.children.clock import Clock
from tests.warm import command_of
from tests.worker.core_ml_case import around, build, expect

Child = Callable[[int], tuple[dict[str, Any], ChildEnding | None]]
NOISE = [0.3 * math.sin(1.7 * number) for number in range(PAIRS_PER_PROCESS)]
COLD_MS = {"base": 1000.0, "head": 1500.0, "again": 1000.0}
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
            if job.only == ("core-ml-cold-load",):
                load = ColdLoad(compiled=job.folder / "net.mlmodelc", load_ms=COLD_MS[job.folder.name])
                return Report(Events(parts=NOTHING.having(load)), None)
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
    assert ([each.metric for each in timing.metrics], timing.dropped) == (["cold-load"], 20 * MOST_PROCESSES)


def test_every_process_loads_what_was_compiled_and_loaded_once_before(timed: Any) -> None:
    timing, jobs = timed(lambda _: (parts(1.0), None))
    (compiled,) = {tuple(job.compiled.items()) for job in jobs}
    assert [name for name, _ in compiled] == ["base", "head", "again"]
    assert len({path for _, path in compiled}) == 3
    assert len({job.home for job in jobs}) == 1
    cold = timing.of("cold-load")
    assert (cold.base_ms, cold.head_ms, cold.log_ratios) == (1000, 1500, ((math.log(1.5),),))


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
    cold = ["cold-load"] if engine == "core-ml" else []
    assert [timed.metric for timed in timing.metrics] == [
        "predict",
        "predict-p95",
        "first-predict",
        "load",
        "compile",
        *cold,
    ]
    predict = timing.of("predict")
    assert predict is not None
    if engine == "core-ml":
        assert predict.head_wall_ms is not None
        assert predict.head_wall_ms > predict.head_ms
    else:
        assert predict.head_wall_ms is None


NOTING_COLD_LOADS = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from coreml_gate.children.job import read_job
from coreml_gate.stand_in import compiled
from coreml_gate.worker import child

job = read_job(Path(sys.argv[1]))

def sleep(seconds):
    with open({notes!r}, "a") as notes:
        notes.write(job.only[0] + "\\n")
    time.sleep(seconds)

compiled.time = SimpleNamespace(sleep=sleep)
child.main(Path(sys.argv[1]))
"""


def test_loads_that_time_are_warm_and_nothing_is_left_on_the_disk(
    match: Callable[..., PackagePair], tmp_path: Path
) -> None:
    """A first load takes half a second here, and notes of which measurement it is."""
    script, child, cold_loads = tmp_path / "script.json", tmp_path / "child.py", tmp_path / "cold loads"
    script.write_text('{"cold_load_s": 0.5}')
    child.write_text(NOTING_COLD_LOADS.format(notes=str(cold_loads)))
    folder = tmp_path / "timing"
    supervisor = around(child=command_of(child))
    supervisor = replace(supervisor, environment={**supervisor.environment, VARIABLE: str(script)})
    clock = count(step=3.0).__next__
    timing = time_packages(match(), TimingBudget({"predict": 1.05}, 0.05, 5.0), folder, supervisor, clock)
    load, cold = timing.of("load"), timing.of("cold-load")
    assert load is not None
    assert cold is not None
    assert cold_loads.read_text().split() == ["core-ml-cold-load"] * 3
    assert min(cold.base_ms, cold.head_ms) > 500
    assert not [path for path in folder.rglob("*") if path.suffix == ".mlmodelc" or "Caches" in path.parts]


def test_a_load_that_does_not_end_is_told_by_the_package_that_it_was_of(
    match: Callable[..., PackagePair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"misbehaviours": [{"phase": "load", "what": "hang"}]}')
    supervisor = around(hooks=Hooks(step=Clock(monkeypatch).at("CPU_ONLY: load")))
    supervisor = replace(supervisor, environment={**supervisor.environment, VARIABLE: str(script)})
    timing = time_packages(
        match(), TimingBudget({"predict": 1.05}, 0.05, 5.0), tmp_path, supervisor, lambda: 0.0
    )
    assert timing.ending is not None
    assert (timing.ending.how, timing.ending.phase) == ("timed-out", "load-base")
    assert timing.metrics == ()
