"""What a child reports that runs in the process of a test."""

import math
from collections.abc import Callable, Sequence

from coreml_gate.children.events import EventReader, Events
from coreml_gate.children.files import fresh_folder
from coreml_gate.children.job import Job, write_job
from coreml_gate.measurements import vocabulary
from coreml_gate.record import Comparison, ModelRecord
from coreml_gate.worker.child import main


def reported(job: Job, work: Callable[[], object]) -> Events:
    fresh_folder(job.folder)
    with EventReader(job.folder, vocabulary()) as report:
        work()
        report.read()
    assert report.fault == ""
    return report.events


def measured(job: Job, name: str = "net") -> ModelRecord:
    events = reported(job, lambda: main(write_job(job)))
    return ModelRecord.model_validate({"name": name, **events.parts.contents()})


def psnrs(comparisons: Sequence[Comparison]) -> tuple[float, float]:
    """The least and the greatest PSNR; equal values have an infinite one. There must be comparisons."""
    found = [math.inf if item.psnr is None else item.psnr for item in comparisons]
    return min(found), max(found)
