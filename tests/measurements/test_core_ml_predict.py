"""What the child of a prediction hands over: answers, figures and comparisons, as soon as each is known."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coreml_gate.children.events import EventLog, Events
from coreml_gate.children.job import DescribedPackage, PackageJob
from coreml_gate.children.reference_data import (
    ReferenceSample,
    read_answers,
    write_answers,
    write_reference_data,
)
from coreml_gate.errors import WorkerError
from coreml_gate.measurements import core_ml_cold_load, core_ml_plan, core_ml_predict
from coreml_gate.measurements.core_ml_cold_load import ColdLoad
from coreml_gate.record import CoreMlRun
from tests.builders import feature
from tests.reported import reported

COLORS = {"y": "BGR"}
ASKED = DescribedPackage(
    path=Path("net.mlpackage"),
    inputs=(feature(name="x"),),
    outputs=(feature(name="y"),),
    output_names=("scores",),
    stateful=True,
    function="main",
)


class Engine:
    """Core ML that answers ``factor * x``, by one more each time where it drifts."""

    def __init__(self, factor: float = 2.0, *, drifts: bool = False) -> None:
        self.factor, self.drifts, self.runs = factor, drifts, 0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.runs += 1
        return {"scores": self.factor * inputs["x"] + (self.runs if self.drifts else 0)}

    def load_s(self) -> float:
        return 0.75


@pytest.fixture
def core_ml(monkeypatch: pytest.MonkeyPatch) -> Callable[[Engine], list[Any]]:
    def use(engine: Engine) -> list[Any]:
        seen: list[Any] = []

        def load(compiled: Path, units: str, inputs: Any, outputs: Any, **rest: Any) -> Engine:
            seen.append((compiled.name, units, rest))
            return engine

        monkeypatch.setattr(
            "coreml_gate.engines.coreml.compile_package",
            lambda path, folder: folder / f"{path.stem}.mlmodelc",
        )
        monkeypatch.setattr("coreml_gate.engines.coreml.load_core_ml", load)
        monkeypatch.setattr("coreml_gate.engines.coreml.class_labels", lambda path, function: ())
        monkeypatch.setattr("coreml_gate.engines.coreml.image_colors", lambda path, function: COLORS)
        return seen

    return use


@pytest.fixture
def job_on(tmp_path: Path) -> Callable[..., PackageJob]:
    """Two samples whose source answers ``2 * x`` and whose package ``2 * x + 1``."""

    def make(**options: Any) -> PackageJob:
        xs = [np.float32([[1.0, 4.0]]), np.float32([[2.0, 8.0]])]
        samples = [ReferenceSample({"x": x}, {"scores": 2 * x}, {"scores": 2 * x + 1}) for x in xs]
        write_reference_data(tmp_path / "samples.npz", samples)
        (tmp_path / "job").mkdir(exist_ok=True)
        defaults = {
            "only": ("core-ml-predict",),
            "folder": tmp_path / "job",
            "package": ASKED,
            "units": "CPU_ONLY",
            "reference": tmp_path / "samples.npz",
        }
        return PackageJob(**(defaults | options))

    return make


def ran(job: PackageJob, measurement: Any = core_ml_predict) -> Events:
    return reported(job, lambda: measurement.run(job, EventLog(job.folder)))


def run_of(job: PackageJob) -> CoreMlRun:
    found = ran(job).parts.get(CoreMlRun)
    assert found is not None
    return found


def test_answers_are_compared_with_source_and_runtime(
    core_ml: Callable[[Engine], list[Any]], job_on: Callable[..., PackageJob]
) -> None:
    core_ml(Engine())
    found = run_of(job_on())
    assert [each.max_abs_error for each in found.against_source] == [0.0, 0.0]
    assert [each.max_abs_error for each in found.against_runtime] == [1.0, 1.0]
    assert [(each.reference, each.candidate) for each in found.against_runtime] == [("fp16", "core-ml")] * 2
    assert [each.max_abs_error for each in found.repeated] == [0.0, 0.0]
    assert found.against_units == ()
    assert found.peak_bytes is not None
    for milliseconds in (found.compile_ms, found.load_ms, found.first_predict_ms):
        assert milliseconds is not None
        assert 0 <= milliseconds < 10_000


def test_the_model_is_loaded_as_the_record_describes_it(
    core_ml: Callable[[Engine], list[Any]], job_on: Callable[..., PackageJob]
) -> None:
    seen = core_ml(Engine())
    run_of(job_on(units="ALL"))
    assert seen == [
        (
            "net.mlmodelc",
            "ALL",
            {
                "output_names": ("scores",),
                "stateful": True,
                "function": "main",
                "classes": (),
                "colors": COLORS,
            },
        )
    ]


def test_answers_that_change_are_measured_and_those_of_the_first_run_count(
    core_ml: Callable[[Engine], list[Any]], job_on: Callable[..., PackageJob]
) -> None:
    core_ml(Engine(drifts=True))
    job = job_on()
    found = run_of(job)
    assert [each.max_abs_error for each in found.repeated] == [2.0, 2.0], "the third run beside the first"
    assert [each.max_abs_error for each in found.against_source] == [1.0, 2.0]
    first, second = read_answers(job.answers)
    np.testing.assert_array_equal(first["scores"], np.float32([[3.0, 9.0]]))
    np.testing.assert_array_equal(second["scores"], np.float32([[6.0, 18.0]]))


def test_another_choice_of_hardware_is_compared_with_the_first(
    core_ml: Callable[[Engine], list[Any]], job_on: Callable[..., PackageJob], tmp_path: Path
) -> None:
    core_ml(Engine(factor=3.0))
    write_answers(
        tmp_path / "cpu.npz", [{"scores": np.float32([[2.0, 8.0]])}, {"scores": np.float32([[4.0, 16.0]])}]
    )
    found = run_of(job_on(others=tmp_path / "cpu.npz"))
    assert [each.max_abs_error for each in found.against_units] == [4.0, 8.0]
    assert {(each.reference, each.candidate) for each in found.against_units} == {("core-ml", "core-ml")}


def test_without_samples_the_package_is_loaded_and_nothing_more(
    core_ml: Callable[[Engine], list[Any]], job_on: Callable[..., PackageJob]
) -> None:
    engine = Engine()
    core_ml(engine)
    job = job_on(reference=None)
    found = run_of(job)
    assert (found.first_predict_ms, found.against_source, engine.runs) == (None, (), 0)
    assert found.load_ms is not None
    assert read_answers(job.answers) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the engine is busy", "RuntimeError: the engine is busy"),
        ('{\n    NSLocalizedDescription = "Error in declaring network.";\n}', "Error in declaring network."),
    ],
)
def test_an_error_of_core_ml_comes_in_its_own_words_and_what_was_measured_stays(
    core_ml: Callable[[Engine], list[Any]], job_on: Callable[..., PackageJob], text: str, words: str
) -> None:
    engine = Engine()
    core_ml(engine)

    def fails(inputs: Any) -> Any:
        raise RuntimeError(text)

    engine.run = fails  # type: ignore[method-assign]
    job = job_on()
    raised: list[WorkerError] = []

    def work() -> None:
        with pytest.raises(WorkerError) as error:
            core_ml_predict.run(job, EventLog(job.folder))
        raised.append(error.value)

    events = reported(job, work)
    assert [error.message for error in raised] == [words]
    assert events.step == "predict"
    found = events.parts.get(CoreMlRun)
    assert found is not None
    assert found.load_ms is not None
    assert found.first_predict_ms is None


def test_a_cold_load_is_core_mls_own_time_and_leaves_the_compiled_model(
    core_ml: Callable[[Engine], list[Any]], job_on: Callable[..., PackageJob]
) -> None:
    core_ml(Engine())
    job = job_on()
    found = ran(job, core_ml_cold_load).parts.get(ColdLoad)
    assert found == ColdLoad(compiled=job.folder / "net.mlmodelc", load_ms=750.0)


def test_the_plan_is_that_of_the_chosen_function(
    core_ml: Callable[[Engine], list[Any]],
    job_on: Callable[..., PackageJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core_ml(Engine())
    seen: list[Any] = []

    def read_plan(compiled: Path, units: str, default: str, function: str | None) -> Any:
        seen.append((compiled.name, units, default, function))
        raise RuntimeError("no plan here")

    monkeypatch.setattr("coreml_gate.engines.compute_plan.read_plan", read_plan)
    monkeypatch.setattr(
        "coreml_gate.mil.package.read_package", lambda _: SimpleNamespace(default_function="first")
    )
    job = job_on()
    with pytest.raises(WorkerError, match="no plan here"):
        ran(job, core_ml_plan)
    assert seen == [("net.mlmodelc", "CPU_ONLY", "first", "main")]


def test_a_call_is_timed_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([10.0, 10.25])
    monkeypatch.setattr(core_ml_predict.time, "perf_counter", lambda: next(readings))
    assert core_ml_predict.timed(lambda: "done") == ("done", 250.0)
