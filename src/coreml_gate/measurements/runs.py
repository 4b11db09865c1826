"""Both packages of a model on every sample."""

from collections.abc import Mapping
from dataclasses import dataclass

from coreml_gate.diagnose.parity_diagnosis import comparisons
from coreml_gate.diagnose.ranges import Range, Ranges
from coreml_gate.engines.engine import Outputs
from coreml_gate.engines.mil import MilEngine
from coreml_gate.measure.compare import compare
from coreml_gate.measurements.reference import Reference
from coreml_gate.record import Comparison


@dataclass(frozen=True)
class MilEngines:
    """Our runtime with both packages."""

    wide: MilEngine
    shipped: MilEngine


@dataclass(frozen=True)
class Runs:
    """What both packages computed of every sample, and how far apart they are."""

    parity: tuple[Comparison, ...]
    precision: tuple[Comparison, ...]
    ranges: Mapping[str, Range]
    halves: tuple[Outputs, ...]


def run_both(reference: Reference, mil: MilEngines) -> Runs:
    """Each sample through both packages, while the float32 one's values are watched."""
    ranges, floors = Ranges(), reference.known_floors
    halves: list[Outputs] = []
    parity: list[Comparison] = []
    precision: list[Comparison] = []
    for index, sample in enumerate(reference.samples.samples):
        ranges.observe_inputs(mil.wide.inputs(sample))
        of_wide, of_shipped = mil.wide.run(sample, ranges.observe), mil.shipped.run(sample)
        halves.append(of_shipped)
        if reference.outputs:
            parity += comparisons(reference.outputs[index], of_wide, index, floors)
        precision += [
            compare(name, index, of_wide[name], of_shipped[name], ("fp32", "fp16"), floors.get(name, 0.0))
            for name in of_wide
        ]
    return Runs(tuple(parity), tuple(precision), ranges.of, tuple(halves))
