"""How live bytes rise and fall over a function, in a form that a report can show."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from coreml_gate.mil.graph import Shapes, moments
from coreml_gate.mil.ir import Function

NEAR_PEAK: Final = 0.95
"""An operation whose live bytes reach this share of the peak has to shrink, too, before the peak does."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Live bytes at every operation that runs, in order; nested blocks count on top."""

    operations: tuple[str, ...]
    bytes: tuple[int, ...]

    def near_peak(self, share: float = NEAR_PEAK) -> tuple[str, ...]:
        """The operations at which at least this share of the peak is alive, in order."""
        least = share * max(self.bytes, default=0)
        return tuple(
            name for name, size in zip(self.operations, self.bytes, strict=True) if size >= least > 0
        )

    def compact(self, width: int) -> tuple[int, ...]:
        """The greatest bytes in each of at most ``width`` stretches of equal length (up to one operation)."""
        count = min(width, len(self.bytes))
        edges = [index * len(self.bytes) // count for index in range(count + 1)] if count else [0]
        return tuple(max(self.bytes[start:stop]) for start, stop in pairwise(edges))


def timeline(function: Function, shapes: Shapes | None = None) -> Timeline:
    """Live activation bytes by the rules of :func:`coreml_gate.mil.graph.peak`.

    :raises PackageError: A dimension is open and ``shapes`` does not name the value.
    """
    found = [
        (moment.operation.name, moment.bytes)
        for moment in moments(function, shapes)
        if moment.operation is not None
    ]
    return Timeline(tuple(name for name, _ in found), tuple(size for _, size in found))
