"""Runs both packages of a model on every sample, and measures what a run costs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from coreml_gate.comparing.compare import compare, comparisons
from coreml_gate.comparing.rounded_inputs import rounded_sample
from coreml_gate.diagnose.ranges import Range, Ranges
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.mil import MilEngine
from coreml_gate.errors import GateError, PackageError
from coreml_gate.measurements.reference import Packages, Reference
from coreml_gate.package_facts.memory_and_cost import footprint, measured_footprint
from coreml_gate.record import Comparison, CostFacts, MemoryFacts, RefusedShape

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class MilEngines:
    """Our runtime with both packages."""

    wide: MilEngine
    shipped: MilEngine

    def rounded(self, sample: Sample) -> Sample:
        """The sample, rounded like the float16 inputs of the shipped package."""
        return rounded_sample(sample, self.shipped.model.interface.inputs)


@dataclass(frozen=True)
class Runs:
    """The outputs of both packages for every sample, and their differences."""

    parity: tuple[Comparison, ...]
    precision: tuple[Comparison, ...]
    ranges: Mapping[str, Range]
    halves: tuple[Outputs, ...]
    refused: tuple[RefusedShape, ...] = ()
    """The user's own samples that the source accepts and the package refuses."""


def run_both(reference: Reference, mil: MilEngines, advance: Callable[[str], None] = lambda _: None) -> Runs:
    """Run each sample through both packages, and observe the values of the float32 one.

    The shipped package runs first and frees its packed weights, so that only one of the two holds them
    at a time; the twin's serve the measurements that follow.

    Precision is about the error of the package's operations, so its float32 twin gets inputs rounded like the
    package's own; ``comparing/rounded_inputs.py`` measures the error of rounding a float16 input.
    """
    samples, ranges = reference.samples.samples, Ranges()
    shipped = tuple(_each(samples, mil.shipped.run, "in half precision", advance))
    mil.shipped.release()
    wide = _each(samples, lambda sample: _of_wide(mil, sample, ranges), "in float32", advance)
    return _compared(reference, wide, shipped, ranges)


@dataclass(frozen=True)
class _OfWide:
    """The float32 package's outputs for one sample."""

    rounded: Outputs
    """The outputs for the sample rounded like the inputs of the shipped package."""
    as_given: Outputs


def _each(
    samples: Sequence[Sample], run: Callable[[Sample], Answer], how: str, advance: Callable[[str], None]
) -> Iterator[Answer | PackageError]:
    """The result of ``run`` for each sample, or why the package refuses it."""
    for index, sample in enumerate(samples):
        advance(f"sample {index + 1} of {len(samples)} {how}")
        try:
            yield run(sample)
        except PackageError as error:
            yield error


def _of_wide(mil: MilEngines, sample: Sample, ranges: Ranges) -> _OfWide:
    rounded = mil.rounded(sample)
    outputs = mil.wide.run(rounded, ranges.observe)
    as_given = outputs if _same(sample, rounded) else mil.wide.run(sample)
    ranges.observe_inputs(mil.wide.inputs(rounded))
    return _OfWide(outputs, as_given)


def _compared(
    reference: Reference,
    wide: Iterable[_OfWide | PackageError],
    shipped: Sequence[Outputs | PackageError],
    ranges: Ranges,
) -> Runs:
    """Compare sample by sample, so that few float32 outputs are held; refused samples are not compared."""
    floors, parity, precision = reference.known_floors, list[Comparison](), list[Comparison]()
    halves: list[Outputs] = []
    refused: list[RefusedShape] = []
    for index, (of_wide, of_shipped) in enumerate(zip(wide, shipped, strict=True)):
        if isinstance(of_wide, PackageError) or isinstance(of_shipped, PackageError):
            errors = (each for each in (of_wide, of_shipped) if isinstance(each, PackageError))
            refused.append(_refused(reference, index, next(errors)))
            halves.append({})
            continue
        halves.append(of_shipped)
        if reference.outputs:
            parity += comparisons(reference.outputs[index], of_wide.as_given, index, floors)
        precision += [
            compare(name, index, array, of_shipped[name], ("fp32", "fp16"), floors.get(name, 0.0))
            for name, array in of_wide.rounded.items()
        ]
    return Runs(tuple(parity), tuple(precision), ranges.of, tuple(halves), tuple(refused))


def _refused(reference: Reference, index: int, error: PackageError) -> RefusedShape:
    """The refused sample; raises the error if no source accepts it, as the package cannot be measured."""
    if not reference.outputs:
        raise error
    sample = reference.samples.samples[index]
    shape = ", ".join(f"{name} {tuple(value.shape)}" for name, value in sample.items())
    return refused_by_package(shape, error)


def _same(sample: Sample, rounded: Sample) -> bool:
    return all(
        value is rounded[name] or bool((value == rounded[name]).all()) for name, value in sample.items()
    )


def refused_by_package(shape: str, error: GateError) -> RefusedShape:
    """The package's error, and the operation at which it stopped."""
    operation = error.operation if isinstance(error, PackageError) else ""
    return RefusedShape(
        shape=shape, by="package", message=error.message, operation=operation, hint=error.hint
    )


def footprint_of(
    packages: Packages, reference: Reference, mil: MilEngines | None
) -> tuple[MemoryFacts, CostFacts] | None:
    """Memory and cost of a run; by the declared shapes where the program cannot run but has no open shape."""
    try:
        return _of_a_run(packages, reference, mil) or footprint(packages.shipped, names=packages.names)
    except PackageError:
        return None


def _of_a_run(
    packages: Packages, reference: Reference, mil: MilEngines | None
) -> tuple[MemoryFacts, CostFacts] | None:
    """By running the first sample; nothing where our runtime, or the package, does not take it."""
    if mil is None:
        return None
    inputs = mil.shipped.inputs(reference.samples.samples[0])
    try:
        return measured_footprint(mil.shipped.model, inputs, packages.names)
    except PackageError:
        return None
