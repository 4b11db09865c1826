"""A metric may predict a batch at once: a package that takes fewer samples computes it part by part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.engines.engine import Engine, Outputs, Sample
from coreml_gate.engines.mil import MilEngine
from coreml_gate.errors import InputError
from coreml_gate.mil.ir import Feature
from coreml_gate.record import Side


@dataclass(frozen=True)
class InParts:
    """A package that computes whatever is a multiple of the largest batch that it takes."""

    engine: MilEngine

    @property
    def side(self) -> Side:
        """As of the engine."""
        return self.engine.side

    def run(self, sample: Sample) -> Outputs:
        """Compute a batch; only one part and the outputs so far are held.

        :raises InputError: An output of a part does not have one row per sample, so parts cannot be joined.
        """
        features = {item.name: item for item in self.engine.model.interface.inputs}
        rows = rows_of_a_part(self.engine.inputs(sample), features)
        if rows is None:
            return self.engine.run(sample)
        outputs = [self.engine.run(part) for part in _parts(sample, rows)]
        return {name: _joined(name, [part[name] for part in outputs], rows) for name in outputs[0]}


def in_parts(engine: Engine) -> Engine:
    """The engine, able to compute batches; the source takes them as they are."""
    return InParts(engine) if isinstance(engine, MilEngine) else engine


def rows_of_a_part(arrays: Mapping[str, Array], features: Mapping[str, Feature]) -> int | None:
    """How many samples the package takes at once; ``None`` where all fit, or no parts would."""
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
