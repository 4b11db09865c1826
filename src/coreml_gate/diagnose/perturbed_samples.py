"""Perturbed samples, which expose wrong conversions that ordinary samples do not reach."""

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
"""Seconds of this thread's own time, so that a busy machine tries as many changes."""
MOST_SECONDS_OF_A_RUN: Final = 30.0
"""Seconds of this thread's own time for the source on one changed sample, where a loop may never end."""
MOST_MACS: Final = 2e10
"""Multiply-accumulates of all changes together: about a tenth of the time of converting such a model. The
limit does not depend on the machine. A ResNet-50 with 4.1e9 per run gets four of 19 changes."""
FEWEST: Final = 4
"""The number of changes that are tried even if a run is costly."""
MOST_ELEMENTS: Final = 2**20
"""Shapes with more elements are skipped, because they cost more than they show."""
_ULPS: Final = 4
"""How far the inputs are moved, in units in the last place, to see where the source is stable."""
_MOVES: Final = 8
"""How often they are moved, each time differently."""
_STABLE_SHARE: Final = 0.25
"""The share of the parity limit by which the source itself may move."""
_STEP: Final = 0.05
"""The share of the greatest value from which a difference at exact numbers counts as a jump."""
_NEGATIVE: Final = "negative integers"

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SourceAndPackage:
    """Both sides of one model, and the allowed changes of their samples."""

    source: SourceEngine
    package: MilEngine
    config: ModelConfig
    limits: ParityLimits
    shapes: tuple[ShapeCase, ...] = ()


@dataclass
class ChangesBudget:
    """How many changes are tried; ``untried`` collects the names of the others."""

    macs: int = 0
    """Multiply-accumulates of one run of the package."""
    clock: Callable[[], float] = time.thread_time
    untried: list[str] = field(default_factory=list)

    @property
    def most(self) -> int:
        """The number of changes to try, from the cost of a run alone."""
        return max(FEWEST, int(MOST_MACS // max(self.macs, 1)))


@dataclass(frozen=True)
class _Change:
    """One way to change a sample."""

    name: str
    inputs: tuple[str, ...]
    make: Callable[[Sample], Sample]
    alone: str = ""
    """The suffix of its title if only one of several inputs is changed."""

    @property
    def title(self) -> str:
        return self.name + self.alone


@dataclass(frozen=True)
class _Attempt:
    """One changed sample."""

    title: str
    sample: Sample
    changed: tuple[str, ...]
    """Names of the changed inputs."""
    exact: bool = False

    @property
    def content(self) -> tuple[str, tuple[str, ...], bool]:
        """A key of the numbers and the changed inputs, on which the stability of the source depends."""
        digest = hashlib.sha256()
        for value in self.sample.values():
            digest.update(value.numpy().tobytes())
        return digest.hexdigest(), self.changed, self.exact


def perturbed_samples(
    sides: SourceAndPackage, sample: Sample, budget: ChangesBudget | None = None
) -> Iterator[tuple[PerturbedSample, Sample]]:
    """Each change on which the source is defined and stable, compared with the package.

    All inputs of a kind (numbers, integers, masks) are changed together, then each input by itself. Images
    are not changed. An element of an output counts if the source's value is finite and stable when the inputs
    move by a few units in the last place. If the source does not end in time, there is no comparison. A model
    with costly runs gets only the most revealing changes, and a change to the same numbers as an earlier one
    is skipped.

    :param budget: Without one, only the time is bounded.
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
    """The sample, cropped or repeated to every other shape of the package, compared in the same way."""
    for attempt in _reshaped(sides, sample):
        comparisons = _compared(sides, attempt)
        if comparisons:
            yield PerturbedSample(name=attempt.title, comparisons=comparisons), attempt.sample


def _changes(sides: SourceAndPackage, sample: Sample) -> list[_Change]:
    """All changes, in the order in which they are tried."""
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
    """The changes to try: those of all inputs before those of one, the most revealing ones first."""
    ranks = {name: rank for rank, name in enumerate(MOST_TELLING)}
    return sorted(changes, key=lambda each: (bool(each.alone), ranks.get(each.name, len(ranks))))[:most]


def _of_kind(sample: Sample, kind: Kind, names: tuple[str, ...], alone: str = "") -> Iterator[_Change]:
    for name, change in PERTURBATIONS[kind].items() if names else ():
        if name not in LARGE or _come_near(sample, names):
            yield _Change(name, names, partial(_changed, names, change), alone)


def _changed(names: tuple[str, ...], change: Perturbation, sample: Sample) -> Sample:
    return {name: change(value) if name in names else value for name, value in sample.items()}


def _come_near(sample: Sample, names: tuple[str, ...]) -> bool:
    """Whether the integers are so large that some beyond 2**24 are to be expected."""
    return any(float(sample[name].abs().max()) >= COME_NEAR for name in names)


def _alike(sample: Sample, names: list[str]) -> Iterator[_Change]:
    """The sample with the same numbers in all inputs of the same shape."""
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
    """The comparison: empty if the package fails or no element counts, ``None`` if the source fails."""
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
    except SourceError:  # rejects the same sample one unit in the last place further
        return ()
    return _restricted(reference, candidate, kept, floors)


def _restricted(
    reference: Outputs,
    candidate: Outputs,
    kept: Mapping[str, Flags],
    floors: Mapping[str, float] | None = None,
) -> tuple[Comparison, ...]:
    """Both sides, with zeros for the elements that do not count."""
    found, known = [], floors or {}
    for name, array in reference.items():
        other = candidate[name]
        if array.shape == np.shape(other):
            if array.size and not kept[name].any():
                continue
            array, other = np.where(kept[name], array, 0), np.where(kept[name], other, 0)  # noqa: PLW2901  # only the elements that count
        found.append(compare(name, 0, array, other, ("source", "fp32"), known.get(name, 0.0)))
    return tuple(found)


def _that_count(
    sides: SourceAndPackage, attempt: _Attempt, reference: Outputs, candidate: Outputs
) -> dict[str, Flags]:
    """Elements whose difference is the package's fault: finite, and stable or at an exact jump."""
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
    """Elements that do not change while every number moves by a few units in the last place."""
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
    """Elements where the package is far off and the source gives the same value in double precision."""
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
    """The outputs in float64; ``None`` if the source cannot, as with weights that are not parameters."""
    try:
        return outputs_in_double(engine, sample)
    except SourceError:
        return None


def _is_close(reference: Array, other: Array, limit: float) -> Flags:
    """Whether each element is close, by the greatest finite reference value; false if shapes differ."""
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
    """Every number moved by up to a few units in the last place; zeros and infinities stay."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(value.shape, generator=generator) * 2 - 1
    share = torch.where(share.abs() < 1 / 2, share.sign(), share)
    step = _ULPS * torch.finfo(value.dtype).eps * value.abs() * share
    return torch.where(value.abs() < math.inf, value + step.to(value.dtype), value)
