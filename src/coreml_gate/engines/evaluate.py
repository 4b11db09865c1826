"""The user's task metric, computed with every engine in turn."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from coreml_gate.engines.batches import in_parts
from coreml_gate.engines.engine import Engine, Outputs, Sample, predict_function
from coreml_gate.engines.python import user_code
from coreml_gate.errors import EvaluateError
from coreml_gate.record import MetricValue, Side


def evaluate(
    metric: Callable[..., object],
    reference: str,
    root: Path,
    engines: Sequence[Engine],
    input_names: tuple[str, ...],
    advance: Callable[[str], None] = lambda _: None,
) -> tuple[MetricValue, ...]:
    """What are the metrics when this engine predicts? Calls the user's function once per engine.

    Nothing of a prediction is held here, so a function that loads one sample after another may go over any
    number of them. Raises :class:`EvaluateError` with the user's line, or when the answer is not finite
    numbers by name.

    :param advance: Called with the number of predictions so far; the first engine shows how many there are.
    """
    values: list[MetricValue] = []
    total: int | None = None
    for engine in engines:
        counted = _Counted(in_parts(engine), total, advance)
        with user_code(f"evaluate {reference} with {engine.side}", root, EvaluateError):
            answer = metric(predict_function(counted, input_names))
        values += _checked(answer, reference, engine)
        total = counted.done
    return tuple(values)


@dataclass
class _Counted:
    """An engine that reports how many predictions it has made, of how many where that is known."""

    engine: Engine
    total: int | None
    advance: Callable[[str], None]
    done: int = 0

    @property
    def side(self) -> Side:
        """As of the engine."""
        return self.engine.side

    def run(self, sample: Sample) -> Outputs:
        """Predict, and count it."""
        outputs = self.engine.run(sample)
        self.done += 1
        of = "" if self.total is None or self.done > self.total else f" of {self.total:,}"
        self.advance(f"{self.side}: {self.done:,}{of} predictions")
        return outputs


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
