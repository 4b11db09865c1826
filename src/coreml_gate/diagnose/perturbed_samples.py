"""Changed samples on which wrong conversions show that ordinary samples do not reach."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coreml_gate.arrays import Array
from coreml_gate.comparing.compare import compare
from coreml_gate.comparing.noise_floor import noise_floors
from coreml_gate.config import ModelConfig
from coreml_gate.config.limits import ParityLimits
from coreml_gate.criteria import has_parity
from coreml_gate.diagnose.perturbations import (
    COME_NEAR,
    EXACT,
    LARGE,
    MOST_TELLING,
    PERTURBATIONS,
    Kind,
    Perturbation,
    kind_of,
    resized,
)
from coreml_gate.diagnose.source_watch import SourceWatch
from coreml_gate.engines.engine import Outputs, OverdueCallError, Sample
from coreml_gate.engines.in_double import in_double, outputs_in_double
from coreml_gate.engines.mil import MilEngine
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import PackageError, SourceError
from coreml_gate.package_facts.shapes import ShapeCase
from coreml_gate.record import Comparison, PerturbedSample

MOST_SECONDS: Final = 10.0
"""Of this thread's own time, so that a busy machine tries no fewer."""
MOST_SECONDS_OF_A_RUN: Final = 30.0
"""Of this thread's own time, for the source on one changed sample: a loop of it may have no end there."""
MOST_MACS: Final = 2e10
"""Multiply-accumulates of all changes together: about a tenth of what converting such a model takes. The same
model is tried on the same changes on every machine: 4.1e9 a run, as of a ResNet-50, leave four of 19."""
FEWEST: Final = 4
"""So many are tried, however much a run costs."""
MOST_ELEMENTS: Final = 2**20
"""A shape with more elements is left out: it would cost more than it shows."""
_ULPS: Final = 4
"""How far the inputs are moved to see where the source is stable."""
_MOVES: Final = 8
"""How often they are moved, each time otherwise."""
_STABLE_SHARE: Final = 0.25
"""Of the parity limit: the source itself may move by so much."""
_STEP: Final = 0.05
"""Of the greatest value: what a source that steps at exact numbers may differ by there."""
_NEGATIVE: Final = "negative integers"

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SourceAndPackage:
    """Both sides of one model, and what their samples may be changed to."""

    source: SourceEngine
    package: MilEngine
    config: ModelConfig
    limits: ParityLimits
    shapes: tuple[ShapeCase, ...] = ()


@dataclass
class ChangesBudget:
    """How many changes are tried; ``untried`` takes the names of the others."""

    macs: int = 0
    """Of one run of the package."""
    clock: Callable[[], float] = time.thread_time
    untried: list[str] = field(default_factory=list)

    @property
    def most(self) -> int:
        """By the cost of a run alone."""
        return max(FEWEST, int(MOST_MACS // max(self.macs, 1)))


@dataclass(frozen=True)
class _Change:
    """One way to change a sample, before it is made."""

    name: str
    inputs: tuple[str, ...]
    make: Callable[[Sample], Sample]
    alone: str = ""
    """What its title adds where one input of several is changed."""

    @property
    def title(self) -> str:
        return self.name + self.alone


@dataclass(frozen=True)
class _Attempt:
    """One changed sample."""

    title: str
    sample: Sample
    changed: tuple[str, ...]
    """Names of the inputs that are not as they were."""
    exact: bool = False

    @property
    def content(self) -> tuple[str, tuple[str, ...], bool]:
        """Equal for attempts that show the same: where the source is stable depends on what was changed."""
        digest = hashlib.sha256()
        for value in self.sample.values():
            digest.update(value.numpy().tobytes())
        return digest.hexdigest(), self.changed, self.exact


def perturbed_samples(
    sides: SourceAndPackage, sample: Sample, budget: ChangesBudget | None = None
) -> Iterator[tuple[PerturbedSample, Sample]]:
    """Each change on which the source is defined and stable, compared with the package.

    All inputs of a kind (numbers, integers, masks) are changed together, then each input by itself. Images
    stay as they are. An element of an output counts where the source's is finite and does not move when the
    inputs move by a few units in the last place. One on which the source does not end has no comparison. Of a
    model whose runs cost much the changes that show most are tried, and a change that leaves the same numbers
    as one before it is not tried again.

    :param budget: Without one the time alone is bounded.
    """
    budget = ChangesBudget() if budget is None else budget
    until = budget.clock() + MOST_SECONDS
    refused: set[str] = set()
    seen: set[tuple[str, tuple[str, ...], bool]] = set()
    changes = _changes(sides, sample)
    chosen = _most_telling(changes, budget.most)
    for change in changes:
        if change not in chosen or budget.clock() > until:
            budget.untried.append(change.title)
            continue
        if change.name in LARGE and _NEGATIVE + change.alone in refused:
            continue
        attempt = _Attempt(change.title, change.make(sample), change.inputs, change.name in EXACT)
        if attempt.content in seen:
            continue
        seen.add(attempt.content)
        try:
            comparisons = _compared(sides, attempt, MOST_SECONDS_OF_A_RUN)
        except OverdueCallError:
            yield PerturbedSample(name=attempt.title, comparisons=()), attempt.sample
            continue
        if comparisons is None:
            refused.add(attempt.title)
        elif comparisons:
            yield PerturbedSample(name=attempt.title, comparisons=comparisons), attempt.sample


def reshaped_samples(sides: SourceAndPackage, sample: Sample) -> Iterator[tuple[PerturbedSample, Sample]]:
    """The sample cut or repeated to every shape that the package takes besides its own, compared alike."""
    for attempt in _reshaped(sides, sample):
        comparisons = _compared(sides, attempt)
        if comparisons:
            yield PerturbedSample(name=attempt.title, comparisons=comparisons), attempt.sample


def _changes(sides: SourceAndPackage, sample: Sample) -> list[_Change]:
    """All of them, in the order in which they are tried."""
    fixed = {item.name for item in sides.config.input if item.image is not None}
    groups: dict[Kind, list[str]] = {kind: [] for kind in PERTURBATIONS}
    for name, value in sample.items():
        if name not in fixed and value.numel() > 0:
            groups[kind_of(value)].append(name)
    found = [each for kind, names in groups.items() for each in _of_kind(sample, kind, tuple(names))]
    found += _alike(sample, groups["numbers"])
    for kind, names in groups.items():
        for name in names if len(names) > 1 else ():
            found += _of_kind(sample, kind, (name,), f" in `{name}` alone")
    return found


def _most_telling(changes: list[_Change], most: int) -> list[_Change]:
    """Those that are tried: all inputs together before one alone, and what showed most before the rest."""
    ranks = {name: rank for rank, name in enumerate(MOST_TELLING)}
    return sorted(changes, key=lambda each: (bool(each.alone), ranks.get(each.name, len(ranks))))[:most]


def _of_kind(sample: Sample, kind: Kind, names: tuple[str, ...], alone: str = "") -> Iterator[_Change]:
    for name, change in PERTURBATIONS[kind].items() if names else ():
        if name not in LARGE or _come_near(sample, names):
            yield _Change(name, names, partial(_changed, names, change), alone)


def _changed(names: tuple[str, ...], change: Perturbation, sample: Sample) -> Sample:
    return {name: change(value) if name in names else value for name, value in sample.items()}


def _come_near(sample: Sample, names: tuple[str, ...]) -> bool:
    """Are the integers so large that some beyond 2**24 are to be expected?"""
    return any(float(sample[name].abs().max()) >= COME_NEAR for name in names)


def _alike(sample: Sample, names: list[str]) -> Iterator[_Change]:
    """Every input with the numbers of the first one of its shape."""
    shapes = {tuple(sample[name].shape) for name in names}
    if len(shapes) < len(names):
        yield _Change("the same numbers in all inputs", tuple(names), partial(_of_the_first, tuple(names)))


def _of_the_first(names: tuple[str, ...], sample: Sample) -> Sample:
    firsts: dict[tuple[int, ...], Tensor] = {}
    return {
        name: firsts.setdefault(tuple(value.shape), value) if name in names else value
        for name, value in sample.items()
    }


def _reshaped(sides: SourceAndPackage, sample: Sample) -> Iterator[_Attempt]:
    for case in sides.shapes:
        if case.elements > MOST_ELEMENTS or set(case.shapes) != set(sample):
            continue
        changed = {name: resized(value, case.shapes[name]) for name, value in sample.items()}
        if all(value.shape == changed[name].shape for name, value in sample.items()):
            continue
        shown = ", ".join(str(shape) for shape in case.shapes.values())
        yield _Attempt(f"samples of shape {shown}", changed, tuple(sample))


def _compared(
    sides: SourceAndPackage, attempt: _Attempt, most_seconds: float | None = None
) -> tuple[Comparison, ...] | None:
    """Nothing where the package refuses or no element counts; ``None`` where the source refuses."""
    try:
        reference = replace(sides.source, most_seconds=most_seconds).run(attempt.sample)
    except SourceError:
        return None
    try:
        candidate = sides.package.run(attempt.sample)
    except PackageError:
        return ()
    kept = {name: np.asarray(np.isfinite(array)) for name, array in reference.items()}
    first = _restricted(reference, candidate, kept)
    if has_parity(first, sides.limits):
        return first if any(flags.any() for flags in kept.values()) else ()
    try:
        floors = noise_floors(sides.source, in_double(sides.source), attempt.sample, reference)
    except SourceError:  # no float64: the limits alone decide
        floors = {}
    try:
        kept = _that_count(sides, attempt, reference, candidate)
    except SourceError:  # refuses the same sample a unit in the last place further
        return ()
    return _restricted(reference, candidate, kept, floors)


def _restricted(
    reference: Outputs,
    candidate: Outputs,
    kept: Mapping[str, Flags],
    floors: Mapping[str, float] | None = None,
) -> tuple[Comparison, ...]:
    """Output by output, with zeros on both sides where an element does not count."""
    found, known = [], floors or {}
    for name, array in reference.items():
        other = candidate[name]
        if array.shape == np.shape(other):
            if array.size and not kept[name].any():
                continue
            array, other = np.where(kept[name], array, 0), np.where(kept[name], other, 0)  # noqa: PLW2901  # what counts of them
        found.append(compare(name, 0, array, other, ("source", "fp32"), known.get(name, 0.0)))
    return tuple(found)


def _that_count(
    sides: SourceAndPackage, attempt: _Attempt, reference: Outputs, candidate: Outputs
) -> dict[str, Flags]:
    """Elements at which a difference is the package's fault: finite, and stable or an exact step."""
    watch = SourceWatch()
    with watch:
        sides.source.run(attempt.sample)
    finite = {name: np.asarray(np.isfinite(array)) for name, array in reference.items()}
    if watch.leaves_32_bits:
        return {name: np.zeros_like(flags) for name, flags in finite.items()}
    stable = _stable(sides, attempt, reference)
    kept = {name: flags & stable[name] for name, flags in finite.items()}
    if attempt.exact and not watch.chooses:
        steps = _steps(sides, attempt, reference, candidate)
        kept = {name: flags | (finite[name] & steps[name]) for name, flags in kept.items()}
    return kept


def _stable(sides: SourceAndPackage, attempt: _Attempt, reference: Outputs) -> dict[str, Flags]:
    """Elements that stay where they are while every number moves by a few units in the last place."""
    stable = {name: np.ones(array.shape, bool) for name, array in reference.items()}
    for seed in range(_MOVES):
        sample = {
            name: _moved(value, seed) if name in attempt.changed and value.is_floating_point() else value
            for name, value in attempt.sample.items()
        }
        for name, array in sides.source.run(sample).items():
            stable[name] &= _is_close(reference[name], array, sides.limits.max_error * _STABLE_SHARE)
    return stable


def _steps(
    sides: SourceAndPackage, attempt: _Attempt, reference: Outputs, candidate: Outputs
) -> dict[str, Flags]:
    """Elements where the package is far off and the source gives the same in double precision."""
    precise = _in_double(sides.source, attempt.sample)
    none = {name: np.zeros(array.shape, bool) for name, array in reference.items()}
    if precise is None:
        return none
    return {
        name: (array == precise[name]) & ~_is_close(array, candidate[name], _STEP)
        if array.shape == np.shape(candidate[name]) == precise[name].shape
        else none[name]
        for name, array in reference.items()
    }


def _in_double(engine: SourceEngine, sample: Sample) -> Outputs | None:
    """The source in float64; nothing where it cannot, as with weights that are not parameters."""
    try:
        return outputs_in_double(engine, sample)
    except SourceError:
        return None


def _is_close(reference: Array, other: Array, limit: float) -> Flags:
    """Per element, against the greatest finite reference value; false all over for another shape."""
    if np.shape(other) != reference.shape:
        return np.zeros(reference.shape, bool)
    finite = np.isfinite(reference)
    greatest = float(np.abs(reference[finite].astype(float)).max(initial=0.0)) or 1.0
    exact = reference.dtype.kind in "biu"
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(reference.astype(float) - np.asarray(other).astype(float))
    close: Flags = (distance == 0) if exact else (distance <= limit * greatest)
    return close


def _moved(value: Tensor, seed: int) -> Tensor:
    """Every number up to a few units in the last place off, to either side; zeros and infinities stay."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(value.shape, generator=generator) * 2 - 1
    share = torch.where(share.abs() < 1 / 2, share.sign(), share)
    step = _ULPS * torch.finfo(value.dtype).eps * value.abs() * share
    return torch.where(value.abs() < math.inf, value + step.to(value.dtype), value)
