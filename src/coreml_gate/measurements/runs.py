"""Both packages of a model on every sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coreml_gate.comparing.compare import compare, comparisons
from coreml_gate.comparing.rounded_inputs import rounded_sample
from coreml_gate.diagnose.ranges import Range, Ranges
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.mil import MilEngine
from coreml_gate.errors import GateError, PackageError
from coreml_gate.measurements.reference import Reference
from coreml_gate.record import Comparison, RefusedShape


@dataclass(frozen=True)
class MilEngines:
    """Our runtime with both packages."""

    wide: MilEngine
    shipped: MilEngine

    def rounded(self, sample: Sample) -> Sample:
        """The sample as the float16 inputs of the package that ships round it."""
        return rounded_sample(sample, self.shipped.model.interface.inputs)


@dataclass(frozen=True)
class Runs:
    """What both packages computed of every sample, and how far apart they are."""

    parity: tuple[Comparison, ...]
    precision: tuple[Comparison, ...]
    ranges: Mapping[str, Range]
    halves: tuple[Outputs, ...]
    refused: tuple[RefusedShape, ...] = ()
    """The user's own samples that the source takes and the package does not."""


def run_both(reference: Reference, mil: MilEngines, advance: Callable[[str], None] = lambda _: None) -> Runs:
    """Each sample through both packages, while the float32 one's values are watched.

    Precision is about what the package's operations lose, so its float32 twin gets inputs as rounded as the
    package's own; what a float16 input loses is another question (``comparing/rounded_inputs.py``).
    """
    ranges, floors = Ranges(), reference.known_floors
    halves: list[Outputs] = []
    parity: list[Comparison] = []
    precision: list[Comparison] = []
    refused: list[RefusedShape] = []
    for index, sample in enumerate(reference.samples.samples):
        advance(f"sample {index + 1} of {len(reference.samples.samples)}")
        rounded = mil.rounded(sample)
        try:
            of_wide, of_shipped = mil.wide.run(rounded, ranges.observe), mil.shipped.run(sample)
            as_given = of_wide if _same(sample, rounded) else mil.wide.run(sample)
        except PackageError as error:
            if not reference.outputs:
                raise
            shape = ", ".join(f"{name} {tuple(value.shape)}" for name, value in sample.items())
            refused.append(refused_by_package(shape, error))
            halves.append({})
            continue
        ranges.observe_inputs(mil.wide.inputs(rounded))
        halves.append(of_shipped)
        if reference.outputs:
            parity += comparisons(reference.outputs[index], as_given, index, floors)
        precision += [
            compare(name, index, of_wide[name], of_shipped[name], ("fp32", "fp16"), floors.get(name, 0.0))
            for name in of_wide
        ]
    return Runs(tuple(parity), tuple(precision), ranges.of, tuple(halves), tuple(refused))


def _same(sample: Sample, rounded: Sample) -> bool:
    return all(
        value is rounded[name] or bool((value == rounded[name]).all()) for name, value in sample.items()
    )


def refused_by_package(shape: str, error: GateError) -> RefusedShape:
    """What the package said, and the operation at which it stopped."""
    operation = error.operation if isinstance(error, PackageError) else ""
    return RefusedShape(
        shape=shape, by="package", message=error.message, operation=operation, hint=error.hint
    )
