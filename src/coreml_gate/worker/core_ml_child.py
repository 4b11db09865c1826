"""The child that uses Core ML: ``python -m coreml_gate.worker.core_ml_child JOB``."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from coreml_gate import stand_in
from coreml_gate.engines.compute_plan import read_plan
from coreml_gate.engines.coreml import CoreMlEngine, compile_package, load_core_ml
from coreml_gate.measure.compare import compare
from coreml_gate.mil.package import read_package
from coreml_gate.record import Comparison, ComputeUnits, Side
from coreml_gate.worker.core_ml_job import CoreMlJob, PackageAsked
from coreml_gate.worker.core_ml_timing import time_job
from coreml_gate.worker.events import EventLog
from coreml_gate.worker.expected import ExpectedSample, read_answers, read_expected, write_answers
from coreml_gate.worker.held_memory import greatest_held_bytes, held_bytes

Arrays = Mapping[str, NDArray[Any]]
COMPILED: Final = "compiled"


def main(path: str) -> None:
    """Do the job in that file; an error of Core ML is reported as a value, not raised."""
    job = CoreMlJob.model_validate_json(Path(path).read_text(encoding="utf-8"))
    if job.stand_in:
        stand_in.install()
    log = EventLog(job.events)
    try:
        KINDS[job.kind](job, log)
    except Exception as error:  # coremltools raises anything, Core ML's words are in its text
        log.update(error=f"{type(error).__name__}: {error}")
        raise SystemExit(1) from error


def predict(job: CoreMlJob, log: EventLog) -> None:
    """Compile, load, predict every sample twice, and compare with everybody who answered before."""
    seconds: dict[str, float] = {}
    log.begin("compile")
    compiled = timed("compile_ms", seconds, lambda: compile_package(job.package.path, job.folder / COMPILED))
    log.update(**seconds)
    log.begin("load")
    before = held_bytes()
    engine = timed("load_ms", seconds, lambda: open_engine(compiled, job.units, job.package))
    log.update(**seconds)
    log.begin("predict")
    samples = read_expected(job.expected) if job.expected is not None else ()
    first = timed("first_predict_ms", seconds, lambda: engine.run(samples[0].inputs)) if samples else {}
    log.update(**seconds)
    answers = [first, *(engine.run(sample.inputs) for sample in samples[1:])] if samples else []
    write_answers(job.answers, answers)
    log.update(**compared(engine, samples, answers, job))
    log.update(peak_bytes=max(0, greatest_held_bytes() - before))


def plan(job: CoreMlJob, log: EventLog) -> None:
    """Compile, and ask on which hardware each operation would run."""
    log.begin("compile")
    compiled = compile_package(job.package.path, job.folder / COMPILED)
    log.begin("plan")
    default = read_package(job.package.path).default_function
    log.update(placement=read_plan(compiled, job.units, default, job.package.function))


def timed(name: str, into: dict[str, float], call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what call gives
    """The result of ``call``, whose milliseconds are noted under ``name``."""
    start = time.perf_counter()
    result = call()
    into[name] = 1e3 * (time.perf_counter() - start)
    return result


def open_engine(compiled: Path, units: ComputeUnits, asked: PackageAsked) -> CoreMlEngine:
    """Load a compiled model as the job describes it."""
    return load_core_ml(
        compiled,
        units,
        asked.inputs,
        asked.outputs,
        output_names=asked.output_names,
        stateful=asked.stateful,
        function=asked.function,
    )


def compared(
    engine: CoreMlEngine, samples: tuple[ExpectedSample, ...], answers: Sequence[Arrays], job: CoreMlJob
) -> dict[str, list[Comparison]]:
    """All comparisons of a :class:`CoreMlRun`."""
    again = [engine.run(sample.inputs) for sample in samples]
    elsewhere = read_answers(job.others) if job.others is not None else ()
    side: Side = "stand-in" if job.stand_in else "core-ml"
    return {
        "against_source": _pairs([sample.source for sample in samples], answers, ("source", side)),
        "against_runtime": _pairs([sample.fp16 for sample in samples], answers, ("fp16", side)),
        "against_units": _pairs(elsewhere, answers, (side, side)),
        "repeated": _pairs(answers, again, (side, side)),
    }


def _pairs(
    references: Sequence[Arrays], answers: Sequence[Arrays], sides: tuple[Side, Side]
) -> list[Comparison]:
    return [
        compare(name, index, np.asarray(reference[name]), np.asarray(answer[name]), sides)
        for index, (reference, answer) in enumerate(zip(references, answers, strict=False))
        for name in answer
        if name in reference
    ]


KINDS: Final[Mapping[str, Callable[[CoreMlJob, EventLog], None]]] = {
    "predict": predict,
    "plan": plan,
    "time": time_job,
}

if __name__ == "__main__":
    main(sys.argv[1])
