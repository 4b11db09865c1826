"""The child process: ``python -m coreml_gate.worker JOB``."""

import sys
from pathlib import Path

from coreml_gate.errors import GateError
from coreml_gate.worker.events import EventLog
from coreml_gate.worker.job import Job
from coreml_gate.worker.litert import measure_litert
from coreml_gate.worker.steps import measure, problem_of
from coreml_gate.worker.variants import measure_variants


def main(path: str) -> None:
    """Do the job in that file; what stops it on the way is reported as a problem, not raised."""
    job = Job.model_validate_json(Path(path).read_text(encoding="utf-8"))
    log = EventLog(job.events)
    try:
        outcome = measure(job, log)
        measure_variants(job, outcome, log)
        measure_litert(job, outcome, log)
    except GateError as error:
        log.update(problem=problem_of(error))


if __name__ == "__main__":
    main(sys.argv[1])
