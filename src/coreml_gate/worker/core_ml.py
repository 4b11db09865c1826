"""The parent's side of Core ML: starts one child per question, and turns whatever happens into facts."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coreml_gate.record import ChildEnding, ComputeUnits, CoreMlRun, Placement
from coreml_gate.worker.core_ml_job import CoreMlJob, PackageAsked
from coreml_gate.worker.events import read_events
from coreml_gate.worker.process import ProcessLimits, log_tail, run_child

HOSTED_UNITS: Final[tuple[ComputeUnits, ...]] = ("CPU_ONLY",)
"""A hosted runner is a virtual machine without a Neural Engine whose GPU breaks: CPU only, unless asked."""
ALL_UNITS: Final[tuple[ComputeUnits, ...]] = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")
_WITHIN: Final[Mapping[ComputeUnits, tuple[ComputeUnits, ...]]] = {
    "CPU_ONLY": ("CPU_ONLY",),
    "CPU_AND_GPU": ("CPU_ONLY", "CPU_AND_GPU"),
    "CPU_AND_NE": ("CPU_ONLY", "CPU_AND_NE"),
    "ALL": ALL_UNITS,
}


@dataclass(frozen=True)
class ChildSurroundings:
    """What children of Core ML run in."""

    environment: Mapping[str, str]
    limits: ProcessLimits
    """The deadline of compiling, loading, predicting, planning and timing, each."""
    stand_in: bool = False
    on_step: Callable[[str], None] = lambda _: None
    """Hears of each step of each child, with the hardware."""
    child: tuple[str, ...] = ("-P", "-m", "coreml_gate.worker.core_ml_child")
    """What the interpreter runs; the job's file follows."""


def is_hosted(environment: Mapping[str, str]) -> bool:
    """Whether this is a runner of GitHub's own (docs.github.com, "Variables", ``RUNNER_ENVIRONMENT``)."""
    return environment.get("RUNNER_ENVIRONMENT") == "github-hosted"


def units_to_run(
    allowed: ComputeUnits, wanted: Sequence[ComputeUnits] | None, environment: Mapping[str, str]
) -> tuple[ComputeUnits, ...]:
    """The choices of hardware to try: the wanted ones, else all (CPU only if hosted), as the model allows."""
    if wanted is None:
        wanted = HOSTED_UNITS if is_hosted(environment) else ALL_UNITS
    return tuple(units for units in wanted if units in _WITHIN[allowed])


def predict_on(
    package: PackageAsked,
    expected: Path,
    units: Sequence[ComputeUnits],
    folder: Path,
    around: ChildSurroundings,
) -> tuple[CoreMlRun, ...]:
    """Predict on each choice of hardware; one that crashes or hangs takes no other with it."""
    runs: list[CoreMlRun] = []
    others: Path | None = None
    for each in units:
        job = CoreMlJob(
            kind="predict",
            folder=folder / each,
            package=package,
            units=each,
            expected=expected,
            others=others,
            stand_in=around.stand_in,
        )
        parts, ending = run_job(job, around)
        runs.append(CoreMlRun.model_validate({"units": each, "ending": ending, **parts}))
        if ending is None and others is None:
            others = job.answers
    return tuple(runs)


def plan_of(package: PackageAsked, units: ComputeUnits, folder: Path, around: ChildSurroundings) -> Placement:
    """Where Core ML would run each operation; without an answer, why."""
    job = CoreMlJob(kind="plan", folder=folder, package=package, units=units, stand_in=around.stand_in)
    parts, ending = run_job(job, around)
    if ending is not None or "placement" not in parts:
        return Placement(origin="compute plan", units=units, ending=ending)
    return Placement.model_validate(parts["placement"])


def run_job(job: CoreMlJob, around: ChildSurroundings) -> tuple[dict[str, Any], ChildEnding | None]:
    """Run one child to whatever end: the parts that it handed over, and how it ended early if it did."""
    job.folder.mkdir(parents=True, exist_ok=True)
    job.events.unlink(missing_ok=True)
    request = job.folder / "job.json"
    request.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    ending = run_child(
        [sys.executable, *around.child, str(request)],
        folder=job.folder,
        log=job.log,
        environment=around.environment,
        limits=around.limits,
        current_step=lambda: read_events(job.events).step,
        on_step=lambda step: around.on_step(f"{job.units}: {step}"),
    )
    events = read_events(job.events)
    parts = dict(events.parts)
    error = parts.pop("error", None)
    if ending.how == "finished":
        return parts, None
    return parts, ChildEnding(
        how="failed" if error is not None else ending.how,
        phase=events.step,
        message=str(error) if error is not None else ending.detail,
        log_tail=log_tail(job.log),
    )
