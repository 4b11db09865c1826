"""Times Core ML's first load of a model on this machine, and keeps the compiled model for later."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from pydantic import NonNegativeFloat

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import PackageJob
from coreml_gate.measurements.foreign_errors import core_ml
from coreml_gate.record.base import Part


class ColdLoad(Part):
    """A compiled model that was loaded once, so that its next load is warm."""

    FIELD: ClassVar[str] = "cold_load"

    compiled: Path
    load_ms: NonNegativeFloat


PARTS: Final = (ColdLoad,)
STEPS: Final[Mapping[str, str]] = {"compile": "compiling the package", "load": "loading the model"}
CHILD: Final = "own"


def run(job: PackageJob, log: EventLog) -> None:
    """Compile the package into the job's folder and load it, with no other load in the process."""
    from coreml_gate.engines.coreml import compile_package
    from coreml_gate.measurements.core_ml_predict import opened

    with core_ml(job):
        log.begin("compile")
        compiled = compile_package(job.package.path, job.folder)
        log.begin("load")
        log.put(ColdLoad(compiled=compiled, load_ms=1e3 * opened(compiled, job).load_s()))
