"""Measures the models of one tree, each in a child process, and writes their Record."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from coreml_gate.children.job import MODELS_FOLDER, ModelJob
from coreml_gate.children.process import Hooks
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.config.inherit import configured
from coreml_gate.gate.at_once import ROOM_FOR_ONE, Room, StopCheck, Work, run_at_once
from coreml_gate.gate.closure import Closures, content
from coreml_gate.gate.environment import environment_of_this_machine
from coreml_gate.gate.memory_needed import memory_needed
from coreml_gate.gate.progress import Progress
from coreml_gate.gate.scratch import for_temporary_files
from coreml_gate.interruption import Interrupted
from coreml_gate.record import RECORD_NAME, ModelRecord, Record, SkippedModel, write_record
from coreml_gate.starting import Start, start_process
from coreml_gate.worker.models import InterruptedModel, interrupted, measure_with_variants
from coreml_gate.worker.supervisor import Supervisor, limits_of

Answering = Literal["core-ml", "stand-in"]
"""Core ML itself, or our runtime in its place; every Record and report says which."""


@dataclass(frozen=True)
class Tree:
    """A checked-out state of the repository."""

    side: Literal["head", "base"]
    root: Path
    commit: str | None
    dirty: bool = False


@dataclass(frozen=True)
class RunContext:
    """What measuring needs of the machine; built once by the command line."""

    cache: Path | None
    environment: Mapping[str, str]
    clock: Callable[[], datetime]
    progress: Progress
    answering: Answering | None = None
    """What runs the steps that need Core ML: Core ML itself, our runtime in its place, or nothing."""
    start: Start = start_process
    """Starts the child processes."""
    room: Room = ROOM_FOR_ONE
    """The upper bound for models measured at once; the configuration may set a lower one."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Peak memory of each model's child when it was last measured, in bytes, by the model's name."""

    def using(self, folder: Path) -> "RunContext":
        """The same context, with ``folder`` for the children's temporary files."""
        return replace(self, environment={**self.environment, "TMPDIR": str(for_temporary_files(folder))})


def collect(
    tree: Tree,
    models: Sequence[ModelConfig],
    skipped: Sequence[SkippedModel],
    options: GateOptions,
    folder: Path,
    context: RunContext,
) -> Record:
    """Measure ``models`` and write the Record and their packages into ``folder``.

    After an interruption, what was measured is still written; the other models have the interruption as
    their problem.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / MODELS_FOLDER, ignore_errors=True)
    (folder / RECORD_NAME).unlink(missing_ok=True)
    closures = Closures(tree.root)
    jobs = [
        ModelJob(
            root=tree.root,
            record_folder=folder,
            model=model,
            closure=content(tree.root, closures.of(model)),
            max_samples=options.max_samples,
            cache=context.cache,
        )
        for model in models
    ]
    outcome = run_at_once(_tasks(jobs, closures, tree, options, context), _room(options, context))
    if outcome.error is not None and not isinstance(outcome.error, KeyboardInterrupt):
        raise outcome.error
    measured = [_known(*each, outcome.error) for each in zip(jobs, outcome.results, strict=True)]
    record = _record(tree, measured, skipped, context)
    write_record(record, folder / RECORD_NAME)
    if outcome.error is not None:
        raise outcome.error
    return record


def _room(options: GateOptions, context: RunContext) -> Room:
    return context.room if options.jobs == "auto" else replace(context.room, most=options.jobs)


def _tasks(
    jobs: Sequence[ModelJob], closures: Closures, tree: Tree, options: GateOptions, context: RunContext
) -> list[Work[ModelRecord]]:
    """One task per model; a model with ``build`` runs alone, since its command may write what others read."""
    alone = len(jobs) == 1 or _room(options, context).most == 1
    return [
        Work(
            partial(_measure, job, tree, options, context, alone=alone),
            memory_needed(
                (tree.root / each for each in closures.of(job.model).ends), context.held.get(job.model.name)
            ),
            alone=bool(job.model.build),
        )
        for job in jobs
    ]


def _record(
    tree: Tree, models: Sequence[ModelRecord], skipped: Sequence[SkippedModel], context: RunContext
) -> Record:
    return Record(
        created=context.clock().isoformat(timespec="seconds"),
        commit=tree.commit,
        dirty=tree.dirty,
        environment=environment_of_this_machine(),
        models=tuple(models),
        skipped=tuple(skipped),
    )


def _known(
    job: ModelJob, result: ModelRecord | BaseException | None, error: KeyboardInterrupt | None
) -> ModelRecord:
    """The Record of a model, even if the run was interrupted during or before it."""
    if isinstance(result, ModelRecord):
        return result
    if isinstance(result, InterruptedModel):
        return result.record
    stopped = Interrupted() if error is None else Interrupted.of(error)
    return ModelRecord(name=job.model.name, problem=interrupted(job.model.name, stopped))


def _measure(
    job: ModelJob, tree: Tree, options: GateOptions, context: RunContext, check: StopCheck, *, alone: bool
) -> ModelRecord:
    progress = context.progress.begin_model(job.model.name, tree.side, alone=alone)
    started = time.monotonic()
    supervisor = Supervisor(
        context.environment,
        limits_of(options),
        hooks=Hooks(progress.begin_step, progress.advance, check),
        start=context.start,
    )
    record = measure_with_variants(job, _variants(job.model, tree), supervisor)
    progress.end(record, time.monotonic() - started)
    return record


def _variants(model: ModelConfig, tree: Tree) -> tuple[ModelConfig, ...]:
    """Only at the head, because a variant is compared with its model and not with its own past."""
    return tuple(configured(model, variant) for variant in model.variant) if tree.side == "head" else ()
