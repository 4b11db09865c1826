"""How Core ML behaves: the form of its answers, the words of its errors, its loads and what it caches."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coreml_gate.children.events import EventLog, Events
from coreml_gate.children.job import DescribedPackage, PackageJob
from coreml_gate.children.reference_data import ReferenceSample, write_reference_data
from coreml_gate.frozen import changed
from coreml_gate.measurements import core_ml_behaviour as module
from coreml_gate.measurements.core_ml_behaviour import (
    LOADS,
    MISTAKES,
    Behaviour,
    OutputForm,
    PlannedOperation,
)
from tests.builders import feature
from tests.reported import reported

X = np.float32([[[[1.0, 2.0], [3.0, 4.0]]]])


class Model:
    """Takes float32 of one shape, and refuses everything else in Core ML's manner."""

    def predict(self, inputs: Mapping[str, Any], state: Any) -> None:
        if set(inputs) != {"x"}:
            raise KeyError(f"inputs {sorted(inputs)}")
        value = inputs["x"]
        if not isinstance(value, np.ndarray) or value.dtype != np.float32:
            raise TypeError("float32 wanted")
        if value.shape != X.shape:
            raise RuntimeError(f"shape {value.shape} is not allowed")


class Engine:
    """Loads faster each time."""

    loaded = 0

    def __init__(self) -> None:
        Engine.loaded += 1
        self.number = Engine.loaded
        self.model = Model()
        self.outputs = (feature(name="y", dtype="float16", shape=(1, 10)),)

    def new_state(self) -> None:
        return None

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"y": np.zeros((1, 9), np.float32)}

    def load_s(self) -> float:
        return 1.0 / self.number


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageJob:
    Engine.loaded = 0
    home = tmp_path / "home"
    (home / "Library/Caches/net/com.apple.e5rt/23A344/deep").mkdir(parents=True)
    (home / "Library/Caches/net/com.apple.e5rt/23A344/deep/a").write_bytes(b"12345")
    (home / "Library/Caches/net/com.apple.e5rt/23A344/b").write_bytes(b"123")
    (home / "note").write_bytes(b"1")
    write_reference_data(tmp_path / "samples.npz", [ReferenceSample({"x": X}, {}, {})])
    monkeypatch.setattr("coreml_gate.engines.coreml.compile_package", lambda path, folder: folder)
    monkeypatch.setattr("coreml_gate.engines.coreml.load_core_ml", lambda *_, **__: Engine())
    operation = SimpleNamespace(name="y", type="ios17.conv", device="CPU", supported=("CPU", "GPU"), cost=0.5)
    monkeypatch.setattr("coreml_gate.engines.compute_plan.list_plan", lambda *_: [operation])
    monkeypatch.setattr(
        "coreml_gate.mil.package.read_package", lambda _: SimpleNamespace(default_function="main")
    )
    (tmp_path / "job").mkdir()
    return PackageJob(
        only=("core-ml-behaviour",),
        folder=tmp_path / "job",
        package=DescribedPackage(path=Path("net.mlpackage"), inputs=(), outputs=()),
        units="ALL",
        reference=tmp_path / "samples.npz",
        home=home,
    )


def recorded(job: PackageJob) -> Events:
    return reported(job, lambda: module.run(job, EventLog(job.folder)))


def test_everything_that_the_gate_rests_on_is_recorded(job: PackageJob) -> None:
    events = recorded(job)
    found = events.parts.get(Behaviour)
    assert events.step == "plan"
    assert found is not None
    assert found.outputs == (
        OutputForm(name="y", dtype="float32", shape=(1, 9), declared_dtype="float16", declared_shape=(1, 10)),
    )
    assert found.loads_ms == pytest.approx([1_000.0, 500.0, 1_000 / 3])
    assert len(found.loads_ms) == LOADS
    assert found.other_path_ms == pytest.approx(250.0)
    assert found.plan == (
        PlannedOperation(name="y", type="ios17.conv", preferred="CPU", supported=("CPU", "GPU"), cost=0.5),
    )


def test_caches_are_counted_by_the_folder_that_core_ml_names_after_the_system(job: PackageJob) -> None:
    found = recorded(job).parts.get(Behaviour)
    assert found is not None
    assert found.caches == {"Library/Caches/net/com.apple.e5rt/23A344": 8, "note": 1}


def test_each_mistake_has_the_words_of_its_error(job: PackageJob) -> None:
    found = recorded(job).parts.get(Behaviour)
    assert found is not None
    assert found.errors == {
        "input missing": "KeyError: 'inputs []'",
        "another shape": "RuntimeError: shape (1, 1, 2, 1) is not allowed",
        "rank too low": "RuntimeError: shape (1, 2, 2) is not allowed",
        "int64": "TypeError: float32 wanted",
        "int32": "TypeError: float32 wanted",
        "float64": "TypeError: float32 wanted",
        "a number": "TypeError: float32 wanted",
        "an unknown input": "KeyError: \"inputs ['no such input', 'x']\"",
    }
    assert found.errors.keys() == MISTAKES.keys()


def test_a_mistake_leaves_the_inputs_as_they_are() -> None:
    inputs = {"x": X.copy()}
    for wrong in MISTAKES.values():
        wrong(inputs)
    assert inputs.keys() == {"x"}
    np.testing.assert_array_equal(inputs["x"], X)


def test_what_core_ml_takes_has_no_error(job: PackageJob) -> None:
    assert module._error(Engine(), {"x": X}) == ""  # type: ignore[arg-type]


def test_a_recording_needs_samples(job: PackageJob) -> None:
    with pytest.raises(Exception, match="needs samples"):
        recorded(changed(job, reference=None))
