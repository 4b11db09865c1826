"""The only place that starts children, each with a deadline per step and a memory limit."""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreml_gate.children import keeper
from coreml_gate.children.events import EventReader, Events
from coreml_gate.children.files import fresh_folder
from coreml_gate.children.job import Job, ModelJob, write_job
from coreml_gate.children.process import NO_HOOKS, Ending, Hooks, ProcessLimits, run_child
from coreml_gate.children.variables import TEMPORARY_FILES
from coreml_gate.config import GateOptions
from coreml_gate.interruption import Interrupted
from coreml_gate.measurements import vocabulary
from coreml_gate.record import ChildEnding, Phase, Problem
from coreml_gate.starting import Start, start_process

LOG_FILE: Final = "log.txt"
"""A child's output, in the folder of its job."""
CHILD: Final = ("-P", "-m", keeper.MODULE, "coreml_gate.worker.child")


def limits_of(options: GateOptions) -> ProcessLimits:
    """The limits of a child under these options."""
    memory_mb = options.step_memory_mb
    return ProcessLimits(options.step_timeout_s, None if memory_mb is None else memory_mb * 1e6)


@dataclass(frozen=True)
class Report:
    """What a child handed over, and how it ended if early."""

    events: Events
    ending: ChildEnding | None
    phases: tuple[Phase, ...] = ()

    @property
    def problem(self) -> Problem | None:
        """The problem that the child itself reported."""
        return self.events.parts.get(Problem)

    @property
    def failure(self) -> ChildEnding | None:
        """The early ending; for a child with a single measurement, its problem counts as one too."""
        if self.ending is not None or self.problem is None:
            return self.ending
        return ChildEnding(how="failed", phase=self.events.step, message=self.problem.message)


class InterruptedChild(Interrupted):
    """The gate was interrupted while a child ran; has what the child had handed over."""

    def __init__(self, exit_code: int, events: Events) -> None:
        super().__init__(exit_code)
        self.events = events


@dataclass(frozen=True)
class Supervisor:
    """Starts children in an environment, and enforces their limits."""

    environment: Mapping[str, str]
    limits: ProcessLimits
    """The deadline of each step, and the memory of a child and its children."""
    stand_in: bool = False
    """Whether our runtime replaces Core ML in the children that would use it."""
    hooks: Hooks = NO_HOOKS
    """Callbacks while a child runs."""
    child: tuple[str, ...] = CHILD
    """Arguments of the interpreter, before the job's file."""
    start: Start = start_process

    def run(self, job: Job) -> Report:
        """Run one child; a crash, a hang or a kill is a value, never an exception.

        Raises :class:`InterruptedChild` when the gate itself is interrupted.
        """
        fresh_folder(job.folder, job.record_folder if isinstance(job, ModelJob) else None)
        variants = [variant.name for variant in job.variants] if isinstance(job, ModelJob) else ()
        with EventReader(job.folder, vocabulary(variants)) as report:
            try:
                with self._temporary_files() as folder:
                    ending = self._run(job, report, folder)
            except KeyboardInterrupt as error:
                report.read()
                raise InterruptedChild(Interrupted.of(error).exit_code, report.events) from error
        phases = tuple(Phase(step=step, seconds=seconds) for step, seconds in report.seconds.items())
        return Report(report.events, _early(ending, report.events), phases)

    def _temporary_files(self) -> tempfile.TemporaryDirectory[str]:
        """A folder for temporary files, since a killed child removes none (torch keeps a cache there)."""
        usual = self.environment.get(TEMPORARY_FILES, "")
        return tempfile.TemporaryDirectory(
            dir=usual if Path(usual).is_dir() else None, ignore_cleanup_errors=True
        )

    def _run(self, job: Job, report: EventReader, temporary_files: str) -> Ending:
        return run_child(
            [sys.executable, *self.child, str(write_job(job))],
            folder=job.working_folder,
            log=job.folder / LOG_FILE,
            environment={**self.environment, TEMPORARY_FILES: temporary_files},
            limits=self.limits,
            report=report,
            hooks=self.hooks,
            start=self.start,
        )


def _early(ending: Ending, events: Events) -> ChildEnding | None:
    if ending.how == "finished":
        return None
    return ChildEnding(how=ending.how, phase=events.step, message=ending.detail, log_tail=ending.last_lines)
