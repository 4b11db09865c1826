"""Reads from Core ML's compute plan on which hardware it would run each operation."""

from collections.abc import Mapping
from typing import Final

from coreml_gate.children.events import EventLog
from coreml_gate.children.job import PackageJob
from coreml_gate.measurements.core_ml_predict import COMPILED
from coreml_gate.measurements.foreign_errors import core_ml
from coreml_gate.record import Placement

PARTS: Final = (Placement,)
STEPS: Final[Mapping[str, str]] = {"compile": "compiling the package", "plan": "reading the compute plan"}
CHILD: Final = "own"


def run(job: PackageJob, log: EventLog) -> None:
    """Compile, and read Core ML's own compute plan."""
    from coreml_gate.engines.compute_plan import read_plan
    from coreml_gate.engines.coreml import compile_package
    from coreml_gate.mil.package import read_package

    with core_ml(job):
        log.begin("compile")
        compiled = compile_package(job.package.path, job.folder / COMPILED)
        log.begin("plan")
        default = read_package(job.package.path).default_function
        log.put(read_plan(compiled, job.units, default, job.package.function))
