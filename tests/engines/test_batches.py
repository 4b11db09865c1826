"""A batch that is larger than the package's own is computed part by part."""

import weakref
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from coreml_gate.engines.engine import predict_function
from coreml_gate.engines.evaluate import InParts, evaluate, in_parts, rows_of_a_part
from coreml_gate.engines.mil import MilEngine
from coreml_gate.errors import InputError
from coreml_gate.mil.ir import Feature


def feature(name: str, shape: tuple[int, ...], **flexible: Any) -> Feature:
    return Feature(name, "tensor", "fp32", shape, **flexible)


@dataclass
class Doubling:
    """Stands for a compiled package: gives twice its input, and one number for all of it on demand."""

    interface: Any
    scalar: bool = False
    calls: int = 0

    def make_state(self) -> None:
        """It keeps none."""

    def predict(self, inputs: dict[str, Any], *_: object) -> dict[str, Any]:
        (x,) = inputs.values()
        assert self.interface.inputs[0].takes(x.shape)
        self.calls += 1
        return {"y": x.sum(keepdims=True).reshape(1, 1, 1)[0, 0] if self.scalar else 2 * x}


def engine(x: Feature, *, scalar: bool = False) -> tuple[MilEngine, Doubling]:
    interface = SimpleNamespace(inputs=(x,), outputs=(feature("y", x.shape),), states=())
    model = Doubling(interface, scalar)
    config = SimpleNamespace(inputs=(), input={}, image=None)
    return MilEngine("fp16", cast("Any", model), ("y",), cast("Any", config), interface.outputs), model


@pytest.fixture(autouse=True)
def plain_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreml_gate.engines.mil.package_sample", lambda sample, _: sample)


@pytest.mark.parametrize(
    ("x", "shape", "rows"),
    [
        (feature("x", (1, 3)), (6, 3), 1),
        (feature("x", (2, 3)), (6, 3), 2),
        (feature("x", (1, 3), ranges=((1, 4), (3, 3))), (8, 3), 4),
        (feature("x", (1, 3), ranges=((1, 4), (3, 3))), (4, 3), None),
        (feature("x", (1, 3), ranges=((1, None), (3, 3))), (99, 3), None),
        (feature("x", (1, 3), shapes=((1, 3), (3, 3))), (6, 3), 3),
        (feature("x", (4, 3)), (6, 3), None),
        (feature("x", (1, 3)), (6, 5), None),
    ],
)
def test_a_part_is_the_largest_batch_that_the_package_takes(
    x: Feature, shape: tuple[int, ...], rows: int | None
) -> None:
    assert rows_of_a_part({"x": np.zeros(shape, np.float32)}, {"x": x}) == rows


def test_a_batch_is_what_its_samples_are_one_by_one() -> None:
    package, model = engine(feature("x", (2, 3)))
    batch = torch.arange(18.0).reshape(6, 3)
    found = predict_function(in_parts(package), ("x",))(batch)
    np.testing.assert_array_equal(found["y"], 2 * batch.numpy())
    assert model.calls == 3


def test_parts_without_a_row_per_sample_are_refused() -> None:
    package, _ = engine(feature("x", (2, 3)), scalar=True)
    with pytest.raises(InputError, match=r"output `y` has the shape \(1,\) for 2 sample\(s\)"):
        InParts(package).run({"x": torch.ones(4, 3)})


def test_a_metric_may_predict_a_batch(tmp_path: Path) -> None:
    package, model = engine(feature("x", (1, 3)))

    def metric(predict: Any) -> dict[str, float]:
        return {"mean": float(predict(torch.ones(1000, 3))["y"].mean())}

    (value,) = evaluate(metric, "m.py:metric", tmp_path, [package], ("x",))
    assert (value.value, value.side, model.calls) == (2.0, "fp16", 1000)


def test_each_prediction_is_counted_and_the_first_engine_shows_how_many_there_are(tmp_path: Path) -> None:
    engines = [engine(feature("x", (1, 3)))[0] for _ in range(2)]
    said: list[str] = []

    def metric(predict: Any) -> dict[str, float]:
        return {"sum": sum(float(predict(torch.ones(1, 3))["y"].sum()) for _ in range(3))}

    evaluate(metric, "m.py:metric", tmp_path, engines, ("x",), said.append)
    assert said == [
        "fp16: 1 predictions",
        "fp16: 2 predictions",
        "fp16: 3 predictions",
        "fp16: 1 of 3 predictions",
        "fp16: 2 of 3 predictions",
        "fp16: 3 of 3 predictions",
    ]


def test_a_metric_may_stream_any_number_of_samples(tmp_path: Path) -> None:
    package, _ = engine(feature("x", (1, 3)))
    held: list[weakref.ref[Any]] = []

    def metric(predict: Any) -> dict[str, float]:
        total = 0.0
        for _ in range(50):
            sample = torch.ones(1, 3)
            outputs = predict(sample)["y"]
            held.extend((weakref.ref(sample), weakref.ref(outputs)))
            total += float(outputs.mean())
            del sample, outputs
            assert not any(reference() is not None for reference in held)
        return {"total": total}

    (value,) = evaluate(metric, "m.py:metric", tmp_path, [package], ("x",))
    assert value.value == 100.0
