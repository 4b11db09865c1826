"""Compares package and source at every shape that the configuration allows."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import GateError
from coreml_gate.frozen import changed
from coreml_gate.measurements import package
from coreml_gate.record import PerturbedSample, RefusedShape, WrappedPart

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench
    from coreml_gate.package_facts.shapes import ShapeCase


class RefusedShapes(WrappedPart[tuple[RefusedShape, ...]]):
    """Allowed shapes that one side accepts and the other refuses."""

    FIELD = "refused_shapes"


class AllowedShapes(WrappedPart[tuple[PerturbedSample, ...]]):
    """Source against the float32 package at allowed shapes that no sample has."""

    FIELD = "allowed_shapes"


PARTS: Final = (RefusedShapes, AllowedShapes)
STEPS: Final = package.STEPS
CHILD: Final = "model"
MOST_ELEMENTS: Final = 2**20
"""Larger shapes are left out: the memory check covers them, and running one could dominate the run."""
ended = package.ended


def wanted(_: ModelJob) -> bool:
    """Always; a model with fixed shapes costs nothing."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """Run source and package at the ends and the middle of each range and at every enumerated shape."""
    if bench.runs is None or bench.mil is None or bench.reference.engine is None:
        return
    from coreml_gate.package_facts.shapes import promised_shapes

    interface = bench.mil.wide.model.interface
    cases = (case for case in promised_shapes(interface) if case.elements <= MOST_ELEMENTS)
    found = (*bench.runs.refused, *(refused for case in cases for refused in _refused(bench, case)))
    if found:
        located = _located(bench, found)
        log.put(RefusedShapes(tuple({each.shape: each for each in located}.values())))
    if bench.reshaped:
        log.put(AllowedShapes(tuple(reshaped for reshaped, _ in bench.reshaped)))


def _located(bench: "Bench", found: Sequence[RefusedShape]) -> Iterator[RefusedShape]:
    """Add the source line of the refusing operation, if the converter kept it."""
    from coreml_gate.conversion.origins import Origin, read_origins

    origins = read_origins(None if bench.packages is None else bench.packages.origins)
    for each in found:
        yield changed(each, place=origins.get(each.operation, Origin()).place)


def _refused(bench: "Bench", case: "ShapeCase") -> Iterator[RefusedShape]:
    from coreml_gate.diagnose.perturbations import resized
    from coreml_gate.measurements.runs import refused_by_package
    from coreml_gate.package_facts.shapes import shape_cases, shape_text

    mil, source, samples = bench.mil, bench.reference.engine, bench.reference.samples.samples
    if mil is None or source is None or set(case.shapes) != set(samples[0]):
        return
    sample = {name: resized(value, case.shapes[name]) for name, value in samples[0].items()}
    of_source, of_package = _error(lambda: source.run(sample)), _error(lambda: mil.wide.run(sample))
    text = shape_text(mil.wide.model.interface, case.shapes)
    if of_package is not None and of_source is None:
        yield refused_by_package(text, of_package)
    elif of_source is not None and of_package is None:
        yield RefusedShape(shape=text, by="source", message=of_source.message)
    elif of_source is not None and case in shape_cases(mil.wide.model.interface):  # the middles are many
        yield RefusedShape(shape=text, by="both", message=of_source.message)


def _error(run_once: Callable[[], object]) -> GateError | None:
    """Why one side refuses a sample; ``None`` if it accepts it."""
    try:
        run_once()
    except GateError as error:
        return error
    return None
