"""The parent's side of Core ML: one child per measurement and compute unit."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from coreml_gate.children.events import START, Events
from coreml_gate.children.job import DescribedPackage, PackageJob
from coreml_gate.children.variables import HOME
from coreml_gate.figures import byte_unit
from coreml_gate.frozen import changed
from coreml_gate.measurements.core_ml_predict import COMPILED
from coreml_gate.reading import read_bytes
from coreml_gate.record import NEURAL_ENGINE_UNITS, ChildEnding, ComputeUnits, CoreMlRun, Placement
from coreml_gate.worker.supervisor import LOG_FILE, Report, Supervisor

HOSTED_UNITS: Final[tuple[ComputeUnits, ...]] = ("CPU_ONLY",)
"""Hosted runners are virtual machines without a Neural Engine and with a faulty GPU: by default, CPU only."""
ALL_UNITS: Final[tuple[ComputeUnits, ...]] = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")
NEW_COPIES: Final = 2.5
"""Of a package while base and head are timed: both compiled, and caches of base, head and the base's second
copy. A child's copies go when it ends."""
_WITHIN: Final[Mapping[ComputeUnits, tuple[ComputeUnits, ...]]] = {
    "CPU_ONLY": ("CPU_ONLY",),
    "CPU_AND_GPU": ("CPU_ONLY", "CPU_AND_GPU"),
    "CPU_AND_NE": ("CPU_ONLY", "CPU_AND_NE"),
    "ALL": ALL_UNITS,
}


_REFUSED: Final = re.compile(rb"ANECCompile\([^)\n]*\) FAILED|failed to compile ANE model")


def is_hosted(environment: Mapping[str, str]) -> bool:
    """Whether this is one of GitHub's own runners (docs.github.com, "Variables", ``RUNNER_ENVIRONMENT``)."""
    return environment.get("RUNNER_ENVIRONMENT") == "github-hosted"


def units_to_run(
    allowed: ComputeUnits, wanted: Sequence[ComputeUnits] | None, environment: Mapping[str, str]
) -> tuple[ComputeUnits, ...]:
    """The compute units to try: the wanted ones, else all (CPU only if hosted), if the model allows them."""
    if wanted is None:
        wanted = HOSTED_UNITS if is_hosted(environment) else ALL_UNITS
    return tuple(units for units in wanted if units in _WITHIN[allowed])


def predict_on(
    package: DescribedPackage,
    reference: Path,
    units: Sequence[ComputeUnits],
    folder: Path,
    supervisor: Supervisor,
) -> tuple[CoreMlRun, ...]:
    """Predict on each compute unit; one that crashes or hangs takes no other with it."""
    runs: list[CoreMlRun] = []
    others: Path | None = None
    for each in units:
        job = PackageJob(
            only=("core-ml-predict",),
            folder=folder / each,
            package=package,
            units=each,
            reference=reference,
            others=others,
            stand_in=supervisor.stand_in,
        )
        report = run_package(job, supervisor)
        found = report.events.parts.get(CoreMlRun) or CoreMlRun(units=each)
        refused = each in NEURAL_ENGINE_UNITS and engine_refused(job.folder / LOG_FILE)
        runs.append(changed(found, units=each, ending=report.failure, engine_refused=refused))
        if report.failure is None and others is None:
            others = job.answers
    return tuple(runs)


def engine_refused(log: Path) -> bool:
    """Whether Core ML printed that the Neural Engine's compiler refused the program.

    It raises nothing then: loading takes its time and succeeds, and other hardware predicts, or the process
    is killed (apple/coremltools#2758, #2247).
    """
    try:
        return _REFUSED.search(read_bytes(log)) is not None
    except OSError:
        return False


def plan_of(
    package: DescribedPackage, units: ComputeUnits, folder: Path, supervisor: Supervisor
) -> Placement:
    """Where Core ML would run each operation, or why there is no plan."""
    job = PackageJob(
        only=("core-ml-plan",), folder=folder, package=package, units=units, stand_in=supervisor.stand_in
    )
    report = run_package(job, supervisor)
    found = report.events.parts.get(Placement)
    if report.failure is not None or found is None:
        return Placement(origin="compute plan", units=units, ending=report.failure)
    return found


def run_package(job: PackageJob, supervisor: Supervisor) -> Report:
    """Run one child, whose steps are reported with the hardware; without room on the disk it does not start.

    Core ML's caches go to a home of the job's own, because nothing prunes them and a full disk makes every
    later load fail (apple/coremltools#2507, #2549, #2108). What belongs to this child alone is removed.
    """
    own_home = job.folder / "home"
    home = own_home if job.home is None else job.home
    home.mkdir(parents=True, exist_ok=True)
    lack = lack_of_room(job, shutil.disk_usage(home).free)
    if lack is not None:
        return Report(Events(), ChildEnding(how="failed", phase=START, message=lack))
    named = replace(
        supervisor,
        environment={**supervisor.environment, HOME: str(home)},
        hooks=replace(supervisor.hooks, step=lambda step: supervisor.hooks.step(f"{job.units}: {step}")),
    )
    try:
        return named.run(job)
    finally:
        for folder in (own_home, job.folder / COMPILED):
            shutil.rmtree(folder, ignore_errors=True)


def lack_of_room(job: PackageJob, free_bytes: int) -> str | None:
    """A problem if compiled models and Core ML's caches of the job's packages will not fit on the disk."""
    packages = [package.path for package in (job.package, job.base) if package is not None]
    files = (file for package in packages for file in package.rglob("*") if file.is_file())
    needed = NEW_COPIES * sum(file.stat().st_size for file in files)
    if needed <= free_bytes:
        return None
    unit = byte_unit((needed,))
    return (
        f"{unit.show(needed)} of free disk are needed for {job.package.path.name} compiled and in Core ML's "
        f"caches, {unit.show(free_bytes)} are free: free some"
    )
