"""What a metric may return: finite numbers by name, whatever engine predicts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.engines.evaluate import evaluate
from coreml_gate.errors import EvaluateError


class Source:
    """An engine whose answer no metric looks at."""

    side = "source"

    def run(self, _: object) -> dict[str, Any]:
        return {"y": np.zeros(1)}


def values_of(answer: object) -> list[tuple[str, str, float]]:
    engines: list[Any] = [Source()]
    found = evaluate(
        lambda predict: [predict(np.zeros(1)), answer][1], "m.py:metric", Path(), engines, ("x",)
    )
    return [(value.name, value.side, value.value) for value in found]


def test_numbers_of_numpy_and_of_python_are_values() -> None:
    given = {"accuracy": np.float32(0.5), "loss": 2}
    assert values_of(given) == [("accuracy", "source", 0.5), ("loss", "source", 2.0)]


@pytest.mark.parametrize("given", [np.zeros(1), torch.zeros(1, dtype=torch.float64), torch.zeros(1).half()])
def test_what_a_metric_predicts_has_the_type_of_samples(given: Any) -> None:
    """The package took NumPy's float64 and the source refused it, an error of a sound source."""
    taken: list[torch.dtype] = []

    class Typed(Source):
        def run(self, sample: Any) -> dict[str, Any]:
            taken.append(sample["x"].dtype)
            return super().run(sample)

    def metric(predict: Any) -> dict[str, float]:
        predict(given)
        return {"accuracy": 1.0}

    engine: Any = Typed()
    evaluate(metric, "m.py:metric", Path(), [engine], ("x",))
    assert taken == [torch.float32]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (0.98, "returned a `float`, expected numbers by metric name"),
        ({}, "returned a `dict`, expected numbers by metric name"),
        ({"accuracy": float("nan")}, "metric `accuracy` is nan under source, expected a finite number"),
        ({"\ud800": 1.0}, r"a metric whose name '\ud800' is not text"),
        ({"accuracy": "high"}, "metric `accuracy` is 'high' under source, expected a finite number"),
    ],
)
def test_anything_else_is_refused_with_what_it_is(answer: Any, complaint: str) -> None:
    with pytest.raises(EvaluateError, match=r"evaluate `m\.py:metric`") as raised:
        values_of(answer)
    assert complaint in raised.value.message


@pytest.mark.attack("the model's own code")
def test_a_metric_without_a_prediction_says_nothing_of_the_package() -> None:
    known: list[object] = []

    def remembering(predict: Any) -> dict[str, float]:
        known[:] = known or [predict(np.zeros(1))]
        return {"accuracy": 0.99}

    package: Any = type("Package", (Source,), {"side": "fp16"})()
    engines: list[Any] = [Source(), package]
    with pytest.raises(EvaluateError, match="without a prediction by fp16") as raised:
        evaluate(remembering, "m.py:metric", Path(), engines, ("x",))
    assert "do not cache" in raised.value.hint
    with pytest.raises(EvaluateError, match="without a prediction by source"):
        evaluate(lambda _: {"accuracy": 0.99}, "m.py:metric", Path(), [Source()], ("x",))  # type: ignore[list-item]
