"""The shapes that a package takes besides the sample's, and inputs of these shapes.

Every enumerated shape, and the extremes of ranges: all flexible dimensions at their minimum, then all at
their maximum. Peaks grow with the shape, so nothing in between can be worse.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.mil.ir import Feature, Interface

MOST_CASES: Final = 16
"""Core ML allows 128 enumerated shapes; the extremes are usually among the first and the last."""
_CHANNELS: Final = 3
_DTYPES: Final[Mapping[str, type[np.generic]]] = {"int32": np.int32, "int8": np.int8}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ShapeCase:
    """One shape for each input of a package, by name."""

    shapes: Mapping[str, Shape]
    unbounded: bool = False
    """Whether some dimension has no upper bound and has its default size instead."""

    @property
    def elements(self) -> int:
        """Number of elements of all inputs together."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def shape_cases(interface: Interface) -> tuple[ShapeCase, ...]:
    """The cases worth measuring, without repeats; none for a package with fixed shapes."""
    cases = [*_enumerated(interface), *_extremes(interface)]
    distinct = {tuple(sorted(case.shapes.items())): case for case in cases}
    found = tuple(distinct.values())
    if len(found) <= MOST_CASES:
        return found
    return tuple(sorted(found, key=lambda case: case.elements))[-MOST_CASES:]


def promised_shapes(interface: Interface) -> tuple[ShapeCase, ...]:
    """The same plus the middle of every range, where a size computed by the trace may still be wrong."""
    ranged = [feature for feature in interface.inputs if feature.ranges]
    middle = {
        item.name: tuple(
            (low + _greatest((low, high), default)) // 2
            for (low, high), default in zip(item.ranges, item.shape, strict=True)
        )
        for item in ranged
    }
    cases = shape_cases(interface)
    return (*cases, _case(interface, middle)) if ranged else cases


def zeros(interface: Interface, case: ShapeCase) -> dict[str, Array]:
    """Inputs of zeros in these shapes, as ``predict`` takes them; shapes do not depend on values."""
    return {feature.name: _zeros(feature, case.shapes[feature.name]) for feature in interface.inputs}


def shape_text(interface: Interface, shapes: Mapping[str, Shape]) -> str:
    """The shapes of the flexible inputs: ``ids (1, 128), mask (1, 128)``; empty if there are none."""
    return ", ".join(f"{item.name} {shapes[item.name]}" for item in interface.inputs if item.flexible)


def _enumerated(interface: Interface) -> Iterator[ShapeCase]:
    """Enumerated cases; inputs with equally many shapes change together, others one after the other."""
    listed = [feature for feature in interface.inputs if feature.shapes]
    counts = {len(feature.shapes) for feature in listed}
    if len(counts) == 1:
        for index in range(counts.pop()):
            yield _case(interface, {feature.name: feature.shapes[index] for feature in listed})
    else:
        for feature in listed:
            for shape in feature.shapes:
                yield _case(interface, {feature.name: shape})


def _extremes(interface: Interface) -> Iterator[ShapeCase]:
    ranged = [feature for feature in interface.inputs if feature.ranges]
    if not ranged:
        return
    yield _case(interface, {item.name: tuple(low for low, _ in item.ranges) for item in ranged})
    greatest = {item.name: tuple(map(_greatest, item.ranges, item.shape)) for item in ranged}
    unbounded = any(high is None for item in ranged for _, high in item.ranges)
    yield _case(interface, greatest, unbounded=unbounded)


def _greatest(bounds: tuple[int, int | None], default: int) -> int:
    return default if bounds[1] is None else bounds[1]


def _case(interface: Interface, chosen: Mapping[str, Shape], *, unbounded: bool = False) -> ShapeCase:
    return ShapeCase({item.name: chosen.get(item.name, item.shape) for item in interface.inputs}, unbounded)


def _zeros(feature: Feature, shape: Shape) -> Array:
    if feature.kind == "image":
        colors = () if feature.color.startswith("GRAYSCALE") else (_CHANNELS,)
        return np.zeros((*shape, *colors), np.float32)
    return np.zeros(shape, _DTYPES.get(feature.dtype, np.float32))
