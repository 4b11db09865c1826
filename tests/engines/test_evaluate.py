"""What a metric may return: finite numbers by name, whatever engine predicts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coreml_gate.engines.evaluate import evaluate
from coreml_gate.errors import EvaluateError


class Source:
    """An engine that is not called: the metric returns what it is given to return."""

    side = "source"


def values_of(answer: object) -> list[tuple[str, str, float]]:
    engines: list[Any] = [Source()]
    found = evaluate(lambda _: answer, "m.py:metric", Path(), engines, ("x",))
    return [(value.name, value.side, value.value) for value in found]


def test_numbers_of_numpy_and_of_python_are_values() -> None:
    given = {"accuracy": np.float32(0.5), "loss": 2}
    assert values_of(given) == [("accuracy", "source", 0.5), ("loss", "source", 2.0)]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (0.98, "returned a `float`, expected numbers by metric name"),
        ({}, "returned a `dict`, expected numbers by metric name"),
        ({"accuracy": float("nan")}, "metric `accuracy` is nan under source, expected a finite number"),
        ({"accuracy": "high"}, "metric `accuracy` is 'high' under source, expected a finite number"),
    ],
)
def test_anything_else_is_refused_with_what_it_is(answer: Any, complaint: str) -> None:
    with pytest.raises(EvaluateError, match=r"evaluate `m\.py:metric`") as raised:
        values_of(answer)
    assert complaint in raised.value.message
