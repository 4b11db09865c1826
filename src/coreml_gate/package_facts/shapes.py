"""Which shapes does a package take besides the sample's, and what do its inputs look like at each of them?

Every enumerated shape, and the extremes of ranges: all ranged dimensions at their least, then all at their
greatest. Peaks grow with the shape, so nothing in between can be worse.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.mil.ir import Feature, Interface

MOST_CASES: Final = 16
"""Core ML allows 128 enumerated shapes; their extremes are among the first and the last."""
_CHANNELS: Final = 3
_DTYPES: Final[Mapping[str, type[np.generic]]] = {"int32": np.int32, "int8": np.int8}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ShapeCase:
    """One shape for every input of a package, by name."""

    shapes: Mapping[str, Shape]
    unbounded: bool = False
    """Whether some dimension has no upper bound, and stands at its default instead."""

    @property
    def elements(self) -> int:
        """All elements of all inputs."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def shape_cases(interface: Interface) -> tuple[ShapeCase, ...]:
    """The cases worth measuring, without repeats; none for a package whose shapes are fixed."""
    cases = [*_enumerated(interface), *_extremes(interface)]
    distinct = {tuple(sorted(case.shapes.items())): case for case in cases}
    found = tuple(distinct.values())
    if len(found) <= MOST_CASES:
        return found
    return tuple(sorted(found, key=lambda case: case.elements))[-MOST_CASES:]


def promised_shapes(interface: Interface) -> tuple[ShapeCase, ...]:
    """The same, and the middle of every range: where the ends agree, a size computed by the trace may not."""
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
    """The cheapest inputs of these shapes, as ``predict`` takes them; shapes do not depend on the numbers."""
    return {feature.name: _zeros(feature, case.shapes[feature.name]) for feature in interface.inputs}


def shape_text(interface: Interface, shapes: Mapping[str, Shape]) -> str:
    """The shapes of the flexible inputs in words: ``ids (1, 128), mask (1, 128)``; empty when none is."""
    return ", ".join(f"{item.name} {shapes[item.name]}" for item in interface.inputs if item.flexible)


def _enumerated(interface: Interface) -> Iterator[ShapeCase]:
    """Several inputs with as many shapes each are taken to change together, others one after the other."""
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
