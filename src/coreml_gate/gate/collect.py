"""Measures the models of one tree, each in a child process, and gathers them into a Record."""

import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from coreml_gate.children.job import MODELS_FOLDER, ModelJob
from coreml_gate.children.process import Hooks
from coreml_gate.config import GateOptions, ModelConfig
from coreml_gate.config.inherit import configured
from coreml_gate.config.load import load_config, select_models
from coreml_gate.gate.closure import Closures, content
from coreml_gate.gate.git import Repository
from coreml_gate.gate.progress import Progress
from coreml_gate.gate.request import Request
from coreml_gate.gate.scratch import for_temporary_files, scratch
from coreml_gate.interruption import Interrupted
from coreml_gate.record import (
    RECORD_NAME,
    Environment,
    ModelRecord,
    Record,
    SkippedModel,
    read_record,
    write_record,
)
from coreml_gate.starting import Start, start_process
from coreml_gate.version import __version__
from coreml_gate.worker.models import InterruptedModel, interrupted, measure_with_variants
from coreml_gate.worker.supervisor import Supervisor, limits_of

COMMITS_FOLDER = "commits"


@dataclass(frozen=True)
class Tree:
    """A checked-out state of the repository."""

    side: Literal["head", "base"]
    root: Path
    commit: str | None
    dirty: bool = False


@dataclass(frozen=True)
class RunContext:
    """Where measuring happens and what it may use; built once by the command line."""

    cache: Path | None
    environment: Mapping[str, str]
    clock: Callable[[], datetime]
    progress: Progress
    answering: Literal["core-ml", "stand-in"] | None = None
    """What runs where only Core ML can: Core ML, our runtime in its place, or nothing."""
    start: Start = start_process
    """Starts the child processes."""

    def using(self, folder: Path) -> "RunContext":
        """The same, with children that put their temporary files into ``folder``."""
        return replace(self, environment={**self.environment, "TMPDIR": str(for_temporary_files(folder))})


def collect(
    tree: Tree,
    models: Sequence[ModelConfig],
    skipped: Sequence[SkippedModel],
    options: GateOptions,
    folder: Path,
    context: RunContext,
) -> Record:
    """Measure ``models`` and write the Record, with the packages beside it, into ``folder``.

    What was measured before an interruption is written as well: the rest of the models has it as its problem.
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
    measured: list[ModelRecord] = []
    try:
        for job in jobs:
            measured += [_measure(job, tree, options, context)]
    except KeyboardInterrupt as error:
        measured += _unfinished(jobs[len(measured) :], error)
        _write(_record(tree, measured, skipped, context), folder)
        raise
    return _write(_record(tree, measured, skipped, context), folder)


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


def _unfinished(jobs: Sequence[ModelJob], error: KeyboardInterrupt) -> Iterator[ModelRecord]:
    """The model at which the run was interrupted, as far as it was measured, and those after it."""
    for number, job in enumerate(jobs):
        if number == 0 and isinstance(error, InterruptedModel):
            yield error.record
        else:
            name = job.model.name
            yield ModelRecord(name=name, problem=interrupted(name, Interrupted.of(error)))


def _write(record: Record, folder: Path) -> Record:
    write_record(record, folder / RECORD_NAME)
    return record


def _measure(job: ModelJob, tree: Tree, options: GateOptions, context: RunContext) -> ModelRecord:
    progress = context.progress.begin_model(job.model.name, tree.side, alone=True)
    started = time.monotonic()
    supervisor = Supervisor(
        context.environment,
        limits_of(options),
        hooks=Hooks(progress.begin_step, progress.advance),
        start=context.start,
    )
    record = measure_with_variants(job, _variants(job.model, tree), supervisor)
    progress.end(record, time.monotonic() - started)
    return record


def _variants(model: ModelConfig, tree: Tree) -> tuple[ModelConfig, ...]:
    """None at the base: a variant is compared with its model, not with what it was."""
    return tuple(configured(model, variant) for variant in model.variant) if tree.side == "head" else ()


def environment_of_this_machine() -> Environment:
    """Which versions are installed, read without importing any of them."""
    return Environment(
        coreml_gate=__version__,
        coremltools=version("coremltools"),
        torch=version("torch").partition("+")[
            0
        ],  # `+cpu` names the build: a Mac has the same torch without it
        numpy=version("numpy"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
    )


def record_of(commit: str, request: Request) -> Path:
    """Where the Record of a commit is kept."""
    return request.output / COMMITS_FOLDER / commit / RECORD_NAME


def collect_at(commit: str, request: Request, repository: Repository, context: RunContext) -> Record:
    """The Record of a commit, as it was kept, or measured now with the configuration that the commit has."""
    kept = record_of(commit, request)
    if kept.is_file():
        return read_record(kept)
    with (
        scratch(request.output, repository) as folder,
        repository.worktree(commit, folder / "tree") as root,
    ):
        config = select_models(load_config(root, request.config_file), request.models)
        tree = Tree("base", root, commit)
        return collect(tree, config.model, (), config.gate, kept.parent, context.using(folder))
