"""The user's task metric, computed with every engine in turn."""

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path

from coreml_gate.engines.batches import in_parts
from coreml_gate.engines.engine import Engine, predict_function
from coreml_gate.engines.python import user_code
from coreml_gate.errors import EvaluateError
from coreml_gate.record import MetricValue


def evaluate(
    metric: Callable[..., object],
    reference: str,
    root: Path,
    engines: Sequence[Engine],
    input_names: tuple[str, ...],
) -> tuple[MetricValue, ...]:
    """What are the metrics when this engine predicts? Calls the user's function once per engine.

    Raises :class:`EvaluateError` with the user's line, or when the answer is not finite numbers by name.
    """
    values: list[MetricValue] = []
    for engine in engines:
        predict = predict_function(in_parts(engine), input_names)
        with user_code(f"evaluate {reference} with {engine.side}", root, EvaluateError):
            answer = metric(predict)
        values += _checked(answer, reference, engine)
    return tuple(values)


def _checked(answer: object, reference: str, engine: Engine) -> list[MetricValue]:
    if not isinstance(answer, Mapping) or not answer:
        raise EvaluateError(
            f"evaluate `{reference}` returned a `{type(answer).__name__}`, expected numbers by metric name.",
            'return a dict such as {"accuracy": 0.98}.',
        )
    return [
        MetricValue(name=str(name), side=engine.side, value=_number(str(name), value, reference, engine))
        for name, value in answer.items()
    ]


def _number(name: str, value: object, reference: str, engine: Engine) -> float:
    number = getattr(value, "item", lambda: value)()
    if not isinstance(number, Real) or not math.isfinite(number):
        raise EvaluateError(
            f"evaluate `{reference}`: metric `{name}` is {value!r} under {engine.side}, "
            "expected a finite number.",
            "leave samples out that have no answer, and return a float.",
        )
    return float(number)
