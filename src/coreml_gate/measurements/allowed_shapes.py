"""Every shape that the configuration allows is a promise: does the package answer as the source does?"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import ModelJob
from coreml_gate.errors import GateError
from coreml_gate.measurements import package
from coreml_gate.record import AllowedShapes, RefusedShape, RefusedShapes

if TYPE_CHECKING:
    from coreml_gate.measurements.bench import Bench
    from coreml_gate.package_facts.shapes import ShapeCase

PARTS: Final = (RefusedShapes, AllowedShapes)
STEPS: Final = package.STEPS
CHILD: Final = "model"
MOST_ELEMENTS: Final = 2**20
"""A shape with more elements is left out: memory judges it, and running it may take longer than all else."""
ended = package.ended


def wanted(_: ModelJob) -> bool:
    """Fixed shapes cost nothing."""
    return True


def run(bench: "Bench", log: EventLog) -> None:
    """The ends and the middle of each range and every enumerated shape, through source and package."""
    if bench.runs is None or bench.mil is None or bench.reference.engine is None:
        return
    from coreml_gate.package_facts.shapes import promised_shapes

    interface = bench.mil.wide.model.interface
    cases = (case for case in promised_shapes(interface) if case.elements <= MOST_ELEMENTS)
    found = (*bench.runs.refused, *(refused for case in cases for refused in _refused(bench, case)))
    if found:
        log.put(RefusedShapes(tuple({each.shape: each for each in found}.values())))
    if bench.reshaped:
        log.put(AllowedShapes(tuple(reshaped for reshaped, _ in bench.reshaped)))


def _refused(bench: "Bench", case: "ShapeCase") -> Iterator[RefusedShape]:
    from coreml_gate.diagnose.perturbations import resized
    from coreml_gate.package_facts.shapes import shape_cases, shape_text

    mil, source, samples = bench.mil, bench.reference.engine, bench.reference.samples.samples
    if mil is None or source is None or set(case.shapes) != set(samples[0]):
        return
    sample = {name: resized(value, case.shapes[name]) for name, value in samples[0].items()}
    by_side = {"source": _error(lambda: source.run(sample)), "package": _error(lambda: mil.wide.run(sample))}
    refusing = [side for side, message in by_side.items() if message]
    text = shape_text(mil.wide.model.interface, case.shapes)
    if refusing == ["package"]:
        yield RefusedShape(shape=text, by="package", message=by_side["package"])
    if refusing == ["source"]:
        yield RefusedShape(shape=text, by="source", message=by_side["source"])
    if len(refusing) > 1 and case in shape_cases(mil.wide.model.interface):  # sizes between the ends are many
        yield RefusedShape(shape=text, by="both", message=by_side["source"])


def _error(run_once: Callable[[], object]) -> str:
    """Why one side does not take a sample; empty where it does."""
    try:
        run_once()
    except GateError as error:
        return error.message
    return ""
