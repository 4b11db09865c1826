"""The whole gate: two trees in, one Verdict out."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coreml_gate.children.process import ProcessLimits
from coreml_gate.config import Config, GateOptions, ModelConfig
from coreml_gate.config.load import find_config, load_config, select_models
from coreml_gate.errors import BaseBuildError, ConfigError, RepositoryError
from coreml_gate.gate.baseline import (
    NO_BASELINE,
    Baseline,
    as_baseline,
    no_baseline,
    stored_baseline,
)
from coreml_gate.gate.collect import RECORD_NAME, RunContext, Tree, collect
from coreml_gate.gate.core_ml import CoreMlHost, Stored, ask_core_ml
from coreml_gate.gate.core_ml_variants import ask_about_variants
from coreml_gate.gate.git import Repository, short
from coreml_gate.gate.judge import judge
from coreml_gate.gate.mixed_baseline import changed_between, is_older, mixed
from coreml_gate.gate.opened import opened_in
from coreml_gate.gate.plan import Job, Plan, plan
from coreml_gate.gate.scratch import scratch
from coreml_gate.gate.stopped import InterruptedRun, judged_so_far
from coreml_gate.interruption import Interrupted
from coreml_gate.record import Record, write_record
from coreml_gate.verdict import Verdict
from coreml_gate.worker.supervisor import Supervisor

BASE_FOLDER = "base"


@dataclass(frozen=True)
class Request:
    """What a user asks of one run."""

    root: Path
    """The folder that holds the configuration, or the repository around it."""
    output: Path
    config_file: Path | None = None
    models: tuple[str, ...] = ()
    base: str | None = None
    """The commit or branch to compare with, rebuilt unless ``baseline`` is given."""
    baseline: Path | None = None
    """A Record, or the folder of one, to compare with."""
    allow_dirty: bool = False
    rebuild: bool = True
    """Whether a base without a stored ``baseline`` is measured here."""


def run_gate(request: Request, context: RunContext) -> Verdict:
    """Find what changed, measure it at head and base, and judge.

    Raises :class:`InterruptedRun` when it is told to stop, with a Verdict on what was measured by then.
    """
    config = select_models(load_config(request.root, request.config_file), request.models)
    repository = _repository(request, context)
    chosen = make_plan(request, config, repository)
    (request.output / RECORD_NAME).unlink(missing_ok=True)
    try:
        return _measured_and_judged(request, config, chosen, repository, context)
    except KeyboardInterrupt as error:
        stopped = Interrupted.of(error)
        verdict = judged_so_far(config, request.output, stopped)
        raise InterruptedRun(stopped.exit_code, verdict) from error


def _measured_and_judged(
    request: Request, config: Config, chosen: Plan, repository: Repository | None, context: RunContext
) -> Verdict:
    head = collect_head(request, config, chosen, repository, context)
    baseline = _baseline(request, config, chosen, repository, context)
    head = with_core_ml(request, config, head, baseline, context)
    return judge(config, head, baseline.record, baseline.facts)


def make_plan(request: Request, config: Config, repository: Repository | None) -> Plan:
    """Choose the models to measure: all of them, or those that changed since the base."""
    if repository is None or request.base is None:
        tree = _head_tree(request.root, repository)
        return Plan(
            jobs=tuple(Job(model.name, "no base given") for model in config.model),
            skipped=(),
            base=None,
            head=tree.commit,
            dirty=tree.dirty,
        )
    file = find_config(request.root, request.config_file).resolve()
    return plan(
        repository,
        config,
        request.base,
        config_path=Path(os.path.relpath(file, repository.root.resolve())).as_posix(),
        allow_dirty=request.allow_dirty,
        opened=opened_in(_earlier_records(request)),
    )


def _earlier_records(request: Request) -> tuple[Path, ...]:
    """The baseline, and what earlier runs left in the output folder."""
    places = [request.output, request.output / BASE_FOLDER]
    if request.baseline is not None:
        places.append(request.baseline)
    return tuple(place if place.is_file() else place / RECORD_NAME for place in places)


def collect_head(
    request: Request, config: Config, chosen: Plan, repository: Repository | None, context: RunContext
) -> Record:
    """Measure the chosen models of the work tree."""
    tree = _head_tree(request.root, repository)
    models = _models_of(chosen, config)
    with scratch(request.output, repository) as folder:
        return collect(tree, models, chosen.skipped, config.gate, request.output, context.using(folder))


def with_core_ml(
    request: Request, config: Config, head: Record, baseline: Baseline, context: RunContext
) -> Record:
    """The head's Record with what Core ML says of its packages, or as it is where nobody can be asked.

    Times are taken only against base packages that lie on this machine.
    """
    if context.answering is None:
        return head
    base = None
    if baseline.record is not None and baseline.folder is not None:
        base = Stored(baseline.record, baseline.folder)
    options, memory_mb = config.gate, config.gate.step_memory_mb
    supervisor = Supervisor(
        context.environment,
        ProcessLimits(options.core_ml_timeout_s, None if memory_mb is None else memory_mb * 1e6),
        stand_in=context.answering == "stand-in",
        on_step=context.progress.begin_step,
    )
    host = CoreMlHost.here(context.answering, supervisor, context.progress)
    models = {model.name: model for model in config.model}
    asked = ask_core_ml(Stored(head, request.output), base, models, options, host)
    return ask_about_variants(Stored(asked, request.output), models, options, host)


def open_repository(request: Request, environment: Mapping[str, str]) -> Repository | None:
    """Open the repository; without one, everything but a comparison by commits still works."""
    try:
        return Repository.open(request.root, environment)
    except RepositoryError:
        if request.base is not None:
            raise
        return None


def _repository(request: Request, context: RunContext) -> Repository | None:
    return open_repository(request, context.environment)


def _head_tree(root: Path, repository: Repository | None) -> Tree:
    if repository is None:
        return Tree("head", root, commit=None)
    return Tree("head", repository.root, repository.head(), repository.is_dirty())


def _models_of(chosen: Plan, config: Config) -> tuple[ModelConfig, ...]:
    names = {job.name for job in chosen.jobs}
    return tuple(model for model in config.model if model.name in names)


def _baseline(
    request: Request, config: Config, chosen: Plan, repository: Repository | None, context: RunContext
) -> Baseline:
    if request.baseline is not None:
        return _up_to_date(stored_baseline(request.baseline), request, chosen, repository, context)
    if chosen.base is None or repository is None:
        return NO_BASELINE
    if not request.rebuild:
        return no_baseline("none: the base is not to be rebuilt", chosen.base)
    names = {job.name for job in chosen.jobs}
    return _rebuilt(request, repository, chosen.base, names, config.gate, context)


def _rebuilt(
    request: Request,
    repository: Repository,
    commit: str,
    names: set[str],
    options: GateOptions,
    context: RunContext,
) -> Baseline:
    """Measure the base commit in a work tree of its own, with the configuration that it had."""
    if not names:
        return no_baseline("none is needed: no model changed", commit)
    with _work_tree(request, repository, commit, context) as (root, inside):
        try:
            config = load_config(root, request.config_file)
        except ConfigError as error:
            return _unbuildable(commit, error, options)
        tree = Tree("base", root, commit)
        models = tuple(model for model in config.model if model.name in names)
        record = collect(tree, models, (), options, request.output / BASE_FOLDER, inside)
    return as_baseline(record, f"rebuilt from commit {short(commit)}", request.output / BASE_FOLDER)


@contextmanager
def _work_tree(
    request: Request, repository: Repository, commit: str, context: RunContext
) -> Iterator[tuple[Path, RunContext]]:
    """A work tree of a commit, and the context for measuring in it."""
    with (
        scratch(request.output, repository) as folder,
        repository.worktree(commit, folder / "tree") as root,
    ):
        yield root, context.using(folder)


def _up_to_date(
    stored: Baseline, request: Request, chosen: Plan, repository: Repository | None, context: RunContext
) -> Baseline:
    """The stored baseline, its models measured again at the base where they changed since it was stored."""
    base, record = chosen.base, stored.record
    if record is None or base is None or repository is None or not is_older(record, base, repository):
        return stored
    names = {job.name for job in chosen.jobs}
    rebuilt = None
    folder = request.output / BASE_FOLDER
    with _work_tree(request, repository, base, context) as (root, inside):
        try:
            config = load_config(root, request.config_file)
        except ConfigError:
            return mixed(stored, None, names, base, folder)
        file = find_config(root, request.config_file).relative_to(root).as_posix()
        tree = Repository.open(root, context.environment)
        opened = opened_in(_earlier_records(request))
        stale = names & changed_between(record, tree, config, file, opened)
        if stale and request.rebuild:
            models = tuple(model for model in config.model if model.name in stale)
            rebuilt = collect(Tree("base", root, base), models, (), config.gate, folder, inside)
    found = mixed(stored, rebuilt, stale, base, folder)
    if found.record is not None and found is not stored:
        write_record(found.record, folder / RECORD_NAME)
    return found


def _unbuildable(commit: str, error: ConfigError, options: GateOptions) -> Baseline:
    """A base without a readable configuration gives no baseline; only a strict team is stopped by it.

    The pull request that repairs a broken base must be able to pass.
    """
    message = f"the configuration of the base commit {short(commit)} cannot be read: {error.sentence}"
    if options.fail_on_unsure:
        raise BaseBuildError(message, "repair the base branch first, or switch `fail-on-unsure` off.")
    return no_baseline(f"none: {message}", commit)
