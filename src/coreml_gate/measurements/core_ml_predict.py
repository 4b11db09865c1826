"""Predicts every sample with Core ML on one compute unit, and measures time and memory."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import PackageJob
from coreml_gate.frozen import changed
from coreml_gate.measurements.foreign_errors import core_ml
from coreml_gate.record import CoreMlRun, Side

if TYPE_CHECKING:
    from coreml_gate.engines.coreml import CoreMlEngine

PARTS: Final = (CoreMlRun,)
STEPS: Final[Mapping[str, str]] = {
    "compile": "compiling the package",
    "load": "loading the model",
    "predict": "predicting",
}
CHILD: Final = "own"
COMPILED: Final = "compiled"
Result = TypeVar("Result")


def run(job: PackageJob, log: EventLog) -> None:
    """Compile, load, and predict every sample twice; report each figure as soon as it is known."""
    with core_ml(job):
        _measure(job, log)


def _measure(job: PackageJob, log: EventLog) -> None:
    from coreml_gate.children.process_memory import greatest_held_bytes, held_bytes
    from coreml_gate.children.reference_data import read_reference_data, write_answers
    from coreml_gate.engines.coreml import compile_package

    found = CoreMlRun(units=job.units)
    log.begin("compile")
    compiled, took = timed(lambda: compile_package(job.package.path, job.folder / COMPILED))
    log.put(found := changed(found, compile_ms=took))
    log.begin("load")
    before = held_bytes()
    engine, took = timed(lambda: opened(compiled, job))
    log.put(found := changed(found, load_ms=took))
    log.begin("predict")
    samples = read_reference_data(job.reference) if job.reference is not None else ()
    answers = []
    if samples:
        first, took = timed(lambda: engine.run(samples[0].inputs))
        log.put(found := changed(found, first_predict_ms=took))
        answers = [first, *(engine.run(sample.inputs) for sample in samples[1:])]
    write_answers(job.answers, answers)
    found = _compared(found, engine, answers, job)
    log.put(changed(found, peak_bytes=max(0, greatest_held_bytes() - before)))


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """The result of ``call``, and its milliseconds."""
    start = time.perf_counter()
    result = call()
    return result, 1e3 * (time.perf_counter() - start)


def opened(compiled: Path, job: PackageJob) -> "CoreMlEngine":
    """Load a compiled model as the job describes it."""
    from coreml_gate.engines.coreml import class_labels, image_colors, load_core_ml

    package = job.package
    return load_core_ml(
        compiled,
        job.units,
        package.inputs,
        package.outputs,
        output_names=package.output_names,
        stateful=package.stateful,
        function=package.function,
        classes=class_labels(package.path, package.function) if package.output_names else (),
        colors=image_colors(package.path, package.function) if package.output_names else {},
    )


def _compared(found: CoreMlRun, engine: "CoreMlEngine", answers: list[Any], job: PackageJob) -> CoreMlRun:
    """Compare with the source, our runtime, another compute unit, and a second prediction."""
    from coreml_gate.children.reference_data import read_answers, read_reference_data
    from coreml_gate.comparing.compare import compare_all

    samples = read_reference_data(job.reference) if job.reference is not None else ()
    again = [engine.run(sample.inputs) for sample in samples]
    elsewhere = read_answers(job.others) if job.others is not None else ()
    side: Side = "stand-in" if job.stand_in else "core-ml"
    return changed(
        found,
        against_source=compare_all([sample.source for sample in samples], answers, ("source", side)),
        against_runtime=compare_all([sample.fp16 for sample in samples], answers, ("fp16", side)),
        against_units=compare_all(elsewhere, answers, (side, side)),
        repeated=compare_all(answers, again, (side, side)),
    )
