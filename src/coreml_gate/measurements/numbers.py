"""Runs both packages on every sample: parity with the source, FP16 precision, memory and cost."""

from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import UnsupportedOperationsError
from coreml_gate.measurements import package
from coreml_gate.record import Comparison, CostFacts, InputRounding, MemoryFacts, WrappedPart

if TYPE_CHECKING:
    from coreml_gate.engines.engine import Outputs
    from coreml_gate.measurements.bench import Bench


class Parity(WrappedPart[tuple[Comparison, ...]]):
    """Source against the float32 package."""

    FIELD = "parity"


class Precision(WrappedPart[tuple[Comparison, ...]]):
    """The float32 package against the package that ships."""

    FIELD = "precision"


class UnsupportedOperations(WrappedPart[tuple[str, ...]]):
    """Operations that our runtime does not support."""

    FIELD = "unsupported"


PARTS: Final = (UnsupportedOperations, MemoryFacts, CostFacts, InputRounding, Parity, Precision)
STEPS: Final = package.STEPS
CHILD: Final = "model"
ended = package.ended


def wanted(_: ModelJob) -> bool:
    """Always: these are the gate's main figures."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Run both packages, and store samples and outputs beside them, with which a Mac compares Core ML."""
    if isinstance(bench.loaded, UnsupportedOperationsError):
        log.put(UnsupportedOperations(bench.loaded.operations))
    for part in bench.footprint or ():
        log.put(part)
    _input_rounding(bench, log)
    if bench.runs is not None:
        log.put(Parity(bench.runs.parity))
        log.put(Precision(bench.runs.precision))
    _write_reference_data(bench)


def _input_rounding(bench: "Bench", log: EventLog) -> None:
    """Report the rounding of inputs, which the interface shows even if our runtime cannot run the package."""
    from coreml_gate.comparing.rounded_inputs import input_rounding

    reference = bench.reference
    if bench.packages is None or reference.engine is None:
        return
    interface = bench.packages.shipped.interface.inputs
    found = input_rounding(reference.engine, reference.samples.samples, reference.outputs, interface)
    if found is not None:
        log.put(found)


def _write_reference_data(bench: "Bench") -> None:
    from coreml_gate.children.reference_data import REFERENCE_FILE, ReferenceSample, write_reference_data
    from coreml_gate.engines.mil import package_inputs

    if bench.packages is None:
        return
    reference, inputs = bench.reference, bench.packages.shipped.interface.inputs
    samples = reference.samples.samples
    halves = () if bench.runs is None else bench.runs.halves
    nothing: tuple[Outputs, ...] = ({},) * len(samples)
    sides = zip(samples, reference.outputs or nothing, halves or nothing, strict=True)
    write_reference_data(
        bench.job.folder / REFERENCE_FILE,
        (
            ReferenceSample(package_inputs(sample, inputs, bench.job.model), source, half)
            for sample, source, half in sides
        ),
    )
