"""Measures a bench: the measurements of a child in this process, and Core ML in processes of its own."""

import os
import sys
from datetime import UTC, datetime
from typing import Literal

from coreml_gate.children.events import EVENTS_FILE, EventLog, EventReader
from coreml_gate.children.warm import WarmChildren
from coreml_gate.config import Config
from coreml_gate.errors import GateError
from coreml_gate.gate.baseline import Baseline
from coreml_gate.gate.collect import Answering, RunContext
from coreml_gate.gate.core_ml_run import with_core_ml
from coreml_gate.gate.environment import environment_of_this_machine
from coreml_gate.gate.request import Request
from coreml_gate.measurements import of_models, vocabulary
from coreml_gate.measurements.bench import Bench
from coreml_gate.measurements.measurement import chosen, problem_of
from coreml_gate.record import RECORD_NAME, ModelRecord, Record, write_record
from coreml_gate.report.progress import LogProgress
from coreml_gate.worker.libraries import LIBRARIES

CoreMl = Literal["auto", "off", "stand-in"]


def record_of(bench: Bench) -> Record:
    """The Record that a child would report for this bench, written beside its packages."""
    record = Record(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=None,
        environment=environment_of_this_machine(),
        models=(_measured(bench),),
    )
    write_record(record, bench.job.record_folder / RECORD_NAME)
    return record


def with_core_ml_too(record: Record, bench: Bench, config: Config, base: Baseline, core_ml: CoreMl) -> Record:
    """Add Core ML's results to the Record, if this machine can run Core ML."""
    answering: Answering | None = "stand-in" if core_ml == "stand-in" else None
    if core_ml == "auto" and sys.platform == "darwin":
        answering = "core-ml"
    request = Request(bench.job.root, bench.job.record_folder)
    silence = LogProgress(lambda _: None, groups=False)  # a function call should print nothing
    with WarmChildren(LIBRARIES) as start:
        context = RunContext(None, os.environ, lambda: datetime.now(UTC), silence, answering, start)
        return with_core_ml(request, config, record, base, context)


def _measured(bench: Bench) -> ModelRecord:
    folder = bench.job.folder
    with EventReader(folder, vocabulary()) as reader:
        descriptor = os.open(folder / EVENTS_FILE, os.O_WRONLY | os.O_APPEND)
        try:
            _measure(bench, EventLog(folder, descriptor=descriptor))
        finally:
            os.close(descriptor)
        reader.read()
    return ModelRecord.model_validate({"name": bench.job.model.name, **reader.events.parts.contents()})


def _measure(bench: Bench, log: EventLog) -> None:
    try:
        for measurement in chosen(of_models(), bench.job):
            measurement.run(bench, log)
    except GateError as error:
        log.put(problem_of(error))
