"""Computes the user's task metric with each engine in turn.

A metric may predict a batch; a package with a smaller batch computes it in parts.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.engines.engine import Engine, Outputs, Sample, predict_function
from coreml_gate.engines.mil import MilEngine
from coreml_gate.engines.outputs import is_text
from coreml_gate.engines.python import user_code
from coreml_gate.errors import EvaluateError, InputError
from coreml_gate.mil.ir import Feature
from coreml_gate.record import MetricValue, Side


def evaluate(
    metric: Callable[..., object],
    reference: str,
    root: Path,
    engines: Iterable[Engine],
    input_names: tuple[str, ...],
    advance: Callable[[str], None] = lambda _: None,
) -> tuple[MetricValue, ...]:
    """The metrics with the predictions of this engine; calls the user's function once.

    Predictions are not kept, so a function that loads samples one by one can use any number of them. Raises
    :class:`EvaluateError` with the user's line, or if the result is not finite numbers by name.

    :param advance: Called with the number of predictions so far; the first engine determines the total.
    """
    values: list[MetricValue] = []
    total: int | None = None
    for engine in engines:
        counted = _Counted(in_parts(engine), total, advance)
        with user_code(f"evaluate {reference} with {engine.side}", root, EvaluateError):
            answer = metric(predict_function(counted, input_names))
        values += _checked(answer, reference, engine)
        _require_predictions(counted, reference)
        total = counted.done
    return tuple(values)


@dataclass
class _Counted:
    """An engine that reports the number of its predictions, and the total if known."""

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


def _require_predictions(engine: _Counted, reference: str) -> None:
    """Reject a metric without any prediction, which would be the same for every package."""
    if not engine.done:
        raise EvaluateError(
            f"evaluate `{reference}` returned without a prediction by {engine.side}: its numbers do not "
            "depend on the package.",
            "call the given function, and do not cache predictions between calls.",
        )


def _checked(answer: object, reference: str, engine: Engine) -> list[MetricValue]:
    if not isinstance(answer, Mapping) or not answer:
        raise EvaluateError(
            f"evaluate `{reference}` returned a `{type(answer).__name__}`, expected numbers by metric name.",
            'return a dict such as {"accuracy": 0.98}.',
        )
    unfit = next((str(name) for name in answer if not is_text(str(name))), None)
    if unfit is not None:
        raise EvaluateError(
            f"evaluate `{reference}` returned a metric whose name {unfit!a} is not text: it has half a "
            "character.",
            "rename it.",
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
            "skip samples without an answer, and return a float.",
        )
    return float(number)


@dataclass(frozen=True)
class InParts:
    """A package that computes a multiple of its largest batch in parts."""

    engine: MilEngine

    @property
    def side(self) -> Side:
        """As of the engine."""
        return self.engine.side

    def run(self, sample: Sample) -> Outputs:
        """Compute a batch; only one part and the outputs so far are in memory.

        :raises InputError: An output of a part does not have one row per sample, so parts cannot be joined.
        """
        features = {item.name: item for item in self.engine.model.interface.inputs}
        rows = rows_of_a_part(self.engine.inputs(sample), features)
        if rows is None:
            return self.engine.run(sample)
        outputs = [self.engine.run(part) for part in _parts(sample, rows)]
        return {name: _joined(name, [part[name] for part in outputs], rows) for name in outputs[0]}


def in_parts(engine: Engine) -> Engine:
    """The engine with support for batches, which the source has already."""
    return InParts(engine) if isinstance(engine, MilEngine) else engine


def rows_of_a_part(arrays: Mapping[str, Array], features: Mapping[str, Feature]) -> int | None:
    """How many samples the package accepts at once; ``None`` if all fit, or if parts would not fit either."""
    whole = {len(array) for array in arrays.values() if array.ndim}
    known = all(name in features and features[name].kind != "image" for name in arrays)
    if not known or len(whole) != 1:
        return None
    if all(features[name].takes(array.shape) for name, array in arrays.items()):
        return None
    (total,) = whole
    for rows in range(total - 1, 0, -1):
        fits = all(features[name].takes((rows, *array.shape[1:])) for name, array in arrays.items())
        if total % rows == 0 and fits:
            return rows
    return None


def _parts(sample: Sample, rows: int) -> Iterator[Sample]:
    total = len(next(iter(sample.values())))
    for start in range(0, total, rows):
        yield {name: value[start : start + rows] for name, value in sample.items()}


def _joined(name: str, parts: list[Array], rows: int) -> Array:
    wrong = next((part.shape for part in parts if part.shape[:1] != (rows,)), None)
    if wrong is not None:
        raise InputError(
            f"output `{name}` has the shape {wrong} for {rows} sample(s): parts cannot be joined.",
            "call predict with one sample at a time.",
        )
    joined: Array = np.concatenate(parts)
    return joined
