"""Runs a package on a connected device, for its outputs and its times by the device's own clock."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import DeviceJob
from coreml_gate.children.variables import UDID
from coreml_gate.frozen import changed
from coreml_gate.measurements.foreign_errors import in_its_own_words
from coreml_gate.record import DeviceFacts

if TYPE_CHECKING:
    from coreml_gate.engines.remote_device import Arrays, Registry

PARTS: Final = (DeviceFacts,)
STEPS: Final[Mapping[str, str]] = {
    "connect": "connecting to the device",
    "predict": "predicting on the device",
    "time": "timing predictions",
}
CHILD: Final = "own"
Start = Callable[[Sequence[str]], Any]
"""Starts a command and returns its process, like ``subprocess.Popen``."""
TRACE_SECONDS: Final = 600
"""The maximum length of a trace, which normally stops when the predictions are done."""
_SAVING_S: Final = 120


def run(job: DeviceJob, log: EventLog) -> None:
    """Launch the app, load the package, predict every sample, and time the first one."""
    import asyncio  # takes 40 ms, and every run imports this module

    from coreml_gate.engines.remote_device import COREMLTOOLS

    with in_its_own_words():
        asyncio.run(measure(job, log, os.environ[UDID], COREMLTOOLS, subprocess.Popen))


async def measure(job: DeviceJob, log: EventLog, udid: str, registry: "Registry", start: Start) -> None:
    """The same with ``registry`` in place of coremltools' own, and ``start`` in place of Popen."""
    from coreml_gate.children.reference_data import read_reference_data
    from coreml_gate.comparing.compare import compare_all
    from coreml_gate.engines.remote_device import Signing, open_model, predict_all, prepared, times_of

    log.begin("connect")
    job.app_folder.mkdir(parents=True, exist_ok=True)
    signing = Signing(job.team, job.profile, job.bundle)
    device = await prepared(registry, udid, signing, job.app_folder)
    model = open_model(registry, device, job.package.path, job.facts.units, job.package.function)
    samples = read_reference_data(job.reference) if job.reference is not None else ()
    log.begin("predict")
    run = await predict_all(model, [sample.inputs for sample in samples])
    named = [_named(output, job) for output in run.outputs]
    found = changed(
        job.facts,
        load_ms=run.load_ms,
        against_source=compare_all([sample.source for sample in samples], named, ("source", "core-ml")),
        against_runtime=compare_all([sample.fp16 for sample in samples], named, ("fp16", "core-ml")),
    )
    log.put(found)
    log.begin("time")
    with recording(job, udid, start):
        times = await times_of(model, samples[0].inputs, job.repeats) if samples else []
        log.put(changed(found, predict_ms=tuple(times)))
    await model.unload()


@contextmanager
def recording(job: DeviceJob, udid: str, start: Start) -> Iterator[None]:
    """Record an Instruments trace meanwhile; ``xctrace`` stops and saves on an interrupt."""
    from coreml_gate.engines.devicectl import trace_command

    if job.trace is None:
        yield
        return
    process = start(trace_command(udid, job.trace, TRACE_SECONDS))
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_SAVING_S)


def _named(output: "Arrays", job: DeviceJob) -> "Arrays":
    """The outputs under the source's names, by position."""
    own = [feature.name for feature in job.package.outputs]
    names = job.package.output_names or own
    return {name: output[key] for name, key in zip(names, own, strict=True)}
