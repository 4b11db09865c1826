"""The child that talks to a connected device: ``python -m coreml_gate.worker.device_child JOB``."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from coreml_gate.engines.devicectl import trace_command
from coreml_gate.engines.remote_device import (
    COREMLTOOLS,
    Arrays,
    Registry,
    Signing,
    answers_of,
    open_model,
    prepared,
    times_of,
)
from coreml_gate.measure.compare import compare
from coreml_gate.record import Comparison, Side
from coreml_gate.worker.device_job import DeviceJob
from coreml_gate.worker.events import EventLog
from coreml_gate.worker.expected import read_expected

Start = Callable[[Sequence[str]], Any]
"""Starts a command and gives its process, as ``subprocess.Popen`` does."""
TRACE_SECONDS: Final = 600
"""The longest a trace may get: it is stopped when the predictions are done."""
_SAVING_S: Final = 120


def main(path: str) -> None:
    """Do the job in that file; whatever goes wrong is reported as a value, not raised."""
    job = DeviceJob.model_validate_json(Path(path).read_text(encoding="utf-8"))
    log = EventLog(job.events)
    try:
        asyncio.run(measure(job, log, COREMLTOOLS, subprocess.Popen))
    except Exception as error:  # coremltools raises anything, devicectl's words are in its text
        log.update(error=f"{type(error).__name__}: {error}")
        raise SystemExit(1) from error


async def measure(job: DeviceJob, log: EventLog, registry: Registry, start: Start) -> None:
    """Launch the app, load the package, predict every sample, and time the first one."""
    log.begin("connect")
    job.app_folder.mkdir(parents=True, exist_ok=True)
    signing = Signing(job.team, job.profile, job.bundle)
    device = await prepared(registry, job.udid, signing, job.app_folder)
    model = open_model(registry, device, job.package.path, job.units)
    samples = read_expected(job.expected) if job.expected is not None else ()
    log.begin("predict")
    answers = await answers_of(model, [sample.inputs for sample in samples])
    named = [_named(output, job) for output in answers.outputs]
    log.update(
        load_ms=answers.load_ms,
        against_source=_compared([sample.source for sample in samples], named, "source"),
        against_runtime=_compared([sample.fp16 for sample in samples], named, "fp16"),
    )
    log.begin("time")
    with recording(job, start):
        log.update(predict_ms=await times_of(model, samples[0].inputs, job.repeats) if samples else [])
    await model.unload()


@contextmanager
def recording(job: DeviceJob, start: Start) -> Iterator[None]:
    """Records an Instruments trace meanwhile; an interrupt is what makes ``xctrace`` stop and save."""
    if job.trace is None:
        yield
        return
    process = start(trace_command(job.udid, job.trace, TRACE_SECONDS))
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_SAVING_S)


def _named(output: Arrays, job: DeviceJob) -> Arrays:
    """The outputs under the source's names, by position."""
    own = [feature.name for feature in job.package.outputs]
    names = job.package.output_names or own
    return {name: np.asarray(output[key]) for name, key in zip(names, own, strict=True)}


def _compared(references: Sequence[Arrays], answers: Sequence[Arrays], side: Side) -> list[Comparison]:
    return [
        compare(name, index, np.asarray(reference[name]), np.asarray(answer[name]), (side, "core-ml"))
        for index, (reference, answer) in enumerate(zip(references, answers, strict=True))
        for name in answer
        if name in reference
    ]


if __name__ == "__main__":
    main(sys.argv[1])
