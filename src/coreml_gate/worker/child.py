"""The child process: ``python -m coreml_gate.worker.child JOB``."""

import os
import signal
import sys
import traceback
from pathlib import Path

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import Job, ModelJob, read_job
from coreml_gate.children.opened import OpenedFiles
from coreml_gate.children.process_memory import greatest_held_bytes
from coreml_gate.errors import GateError
from coreml_gate.measurements import MEASUREMENTS, of_models
from coreml_gate.measurements.measurement import Opened, PeakBytes, chosen, problem_of
from coreml_gate.worker.libraries import load_libraries


def main(path: Path) -> None:
    """Do the job in that file; an error is reported as a problem and not raised."""
    job = read_job(path)
    log = EventLog(job.folder)
    try:
        measure(job, log)
    except GateError as error:
        log.put(problem_of(error))
    log.end()


def measure(job: Job, log: EventLog) -> None:
    """Make every measurement of the job, in the order of the table."""
    if isinstance(job, ModelJob):
        measure_model(job, log)
        return
    for name in job.only:
        measurement = MEASUREMENTS[name]
        if measurement.CHILD == "own":
            measurement.run(job, log)


def measure_model(job: ModelJob, log: EventLog) -> None:
    """Make every measurement that the model's options require, on one bench."""
    opened = OpenedFiles.watch(job.root, [job.folder, job.record_folder, *_folders(job.cache)], os.environ)
    load_libraries()
    from coreml_gate.measurements.bench import Bench  # noqa: PLC0415 - only models need torch
    from coreml_gate.runtime.allocator import give_back  # noqa: PLC0415 - as above

    bench = Bench(job, advance=log.advance)
    for measurement in chosen(of_models(), job):
        try:
            measurement.run(bench, log)
        finally:
            log.put(Opened(opened.paths()))  # also of a source that raised: the next plan has to know
            log.put(PeakBytes(greatest_held_bytes()))
        give_back()


def _folders(cache: Path | None) -> tuple[Path, ...]:
    return () if cache is None else (cache,)


def _end_as_interrupted() -> None:
    """End by SIGINT, which Python fails to do if a library runs code at exit (torch with ``tabulate``)."""
    traceback.print_exc()
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except KeyboardInterrupt:
        _end_as_interrupted()
