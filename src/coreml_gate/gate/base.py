"""The base of a run: a stored Record, or a commit measured in a work tree with its own configuration."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coreml_gate.config import Config, GateOptions
from coreml_gate.config.load import find_config, load_config, select_models
from coreml_gate.errors import BaseBuildError, ConfigError
from coreml_gate.gate.baseline import (
    NO_BASELINE,
    Baseline,
    as_baseline,
    no_baseline,
    stored_baseline,
)
from coreml_gate.gate.collect import RunContext, Tree, collect
from coreml_gate.gate.git import Repository
from coreml_gate.gate.mixed_baseline import changed_between, is_older, mixed
from coreml_gate.gate.opened import opened_in
from coreml_gate.gate.plan import Plan
from coreml_gate.gate.request import BASE_FOLDER, Request
from coreml_gate.gate.scratch import scratch
from coreml_gate.record import RECORD_NAME, Record, read_record, write_record
from coreml_gate.wording import short

COMMITS_FOLDER = "commits"


def stored_for(request: Request) -> Baseline | None:
    """The stored baseline, if any; to be read before a model's code, which could change it, runs."""
    return None if request.baseline is None else stored_baseline(request.baseline)


def baseline_of(
    request: Request,
    stored: Baseline | None,
    config: Config,
    chosen: Plan,
    repository: Repository | None,
    context: RunContext,
) -> Baseline:
    """The Record to compare the head with: the stored one, or one measured now at the base commit."""
    if stored is not None:
        return _up_to_date(stored, request, chosen, repository, context)
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
    """Measure the base commit in a work tree, with the base's own configuration."""
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
    return as_baseline(record, "rebuilt in this run", request.output / BASE_FOLDER)


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
    """The stored baseline; models that changed since it was stored are measured again at the base."""
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
        opened = opened_in(request.earlier_records)
        stale = names & changed_between(record, tree, config, file, opened)
        if stale and request.rebuild:
            models = tuple(model for model in config.model if model.name in stale)
            rebuilt = collect(Tree("base", root, base), models, (), config.gate, folder, inside)
    found = mixed(stored, rebuilt, stale, base, folder)
    if found.record is not None and found is not stored:
        write_record(found.record, folder / RECORD_NAME)
    return found


def _unbuildable(commit: str, error: ConfigError, options: GateOptions) -> Baseline:
    """No baseline, if the base's configuration cannot be read; an error only under ``fail-on-unsure``.

    A pull request that repairs a broken base must be able to pass.
    """
    message = f"the configuration of the base commit {short(commit)} cannot be read: {error.sentence}"
    if options.fail_on_unsure:
        raise BaseBuildError(message, "repair the base branch first, or switch `fail-on-unsure` off.")
    return no_baseline(f"none: {message}", commit)


def record_of(commit: str, request: Request) -> Path:
    """Path of the stored Record of a commit."""
    return request.output / COMMITS_FOLDER / commit / RECORD_NAME


def collect_at(commit: str, request: Request, repository: Repository, context: RunContext) -> Record:
    """The Record of a commit: the stored one, or one measured now with the commit's own configuration."""
    kept = record_of(commit, request)
    if kept.is_file():
        return read_record(kept)
    with _work_tree(request, repository, commit, context) as (root, inside):
        config = select_models(load_config(root, request.config_file), request.models)
        return collect(Tree("base", root, commit), config.model, (), config.gate, kept.parent, inside)
