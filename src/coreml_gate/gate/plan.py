"""Decides which models to measure since the base, with a reason for each of the others."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from coreml_gate.config import Config, ModelConfig
from coreml_gate.config.load import CONFIG_NAMES, find_config, holds_config, parse_config
from coreml_gate.config.table import kebab
from coreml_gate.errors import ConfigError
from coreml_gate.gate.closure import Closure, Closures
from coreml_gate.gate.git import Repository
from coreml_gate.gate.opened import OpenedByModel, opened_in
from coreml_gate.gate.request import Request
from coreml_gate.gate.toolchain import (
    included_in,
    is_pyproject,
    matching,
    matching_above,
    pins_differ,
    text_of,
)
from coreml_gate.wording import names_and_more, short

_SHOWN_FILES = 3
_REQUIREMENTS = (".txt", ".in")
"""Files that may name others to install."""
_NOT_MEASURING = frozenset({"limits", "watch"})
"""Options of a model that affect neither its package nor its measurements."""


@dataclass(frozen=True)
class Job:
    """A model to measure, and the reasons."""

    name: str
    reason: str


@dataclass(frozen=True)
class UnchangedModel:
    """A model that is not measured, and the reason."""

    name: str
    reason: str
    opened: tuple[str, ...] | None = None
    """The files that it read when it was last measured, if known."""


@dataclass(frozen=True)
class Plan:
    """The models that a run will measure; commits are full ids."""

    jobs: tuple[Job, ...]
    skipped: tuple[UnchangedModel, ...]
    base: str | None
    """The commit to compare with: the merge base of the given base and the head."""
    head: str | None
    """The commit of the work tree; ``None`` outside a repository and in one without commits."""
    dirty: bool = False
    """Whether the work tree is measured with uncommitted changes."""
    base_config: Config | None = None
    """The configuration at the base, if there is a readable one."""


@dataclass(frozen=True)
class BaseConfig:
    """The configuration at the base, or why there is none."""

    config: Config | None = None
    missing: str = ""

    @cached_property
    def models(self) -> Mapping[str, ModelConfig]:
        """Its models by name."""
        return {} if self.config is None else {model.name: model for model in self.config.model}

    @property
    def max_samples(self) -> int | None:
        """How many samples it compares."""
        return None if self.config is None else self.config.gate.max_samples


@dataclass(frozen=True)
class Changes:
    """The changes since the base."""

    since: str
    files: frozenset[str]
    folders: frozenset[str]
    """Every folder with a change."""
    submodules: tuple[str, ...]
    toolchain: tuple[str, ...]
    base: BaseConfig
    tracked: frozenset[str]
    """The paths tracked by git, a submodule as one path."""


def make_plan(request: Request, config: Config, repository: Repository | None) -> Plan:
    """Choose the models to measure: all, or those that changed since the request's base."""
    if repository is None or request.base is None:
        return _plan_of_all(config, repository)
    file = find_config(request.root, request.config_file).resolve()
    return plan(
        repository,
        config,
        request.base,
        config_path=Path(os.path.relpath(file, repository.root.resolve())).as_posix(),
        allow_dirty=request.allow_dirty,
        opened=opened_in(request.earlier_records),
        installed=request.installed,
    )


def _plan_of_all(config: Config, repository: Repository | None) -> Plan:
    jobs = tuple(Job(model.name, "no base given") for model in config.model)
    if repository is None:
        return Plan(jobs, (), None, None)
    return Plan(jobs, (), None, repository.head(), repository.is_dirty())


def plan(
    repository: Repository,
    config: Config,
    base: str,
    *,
    config_path: str = CONFIG_NAMES[0],
    allow_dirty: bool = False,
    opened: OpenedByModel = MappingProxyType({}),
    installed: tuple[str, ...] = (),
) -> Plan:
    """The jobs of the work tree since a base, where ``config_path``, relative to the root, is read as well.

    ``opened``: the files that models read when they were measured before; ``installed``: further files that
    pin versions, besides those of ``toolchain`` at the head and at the base.

    Raises :class:`MissingCommitError` if the base is not in this clone, and :class:`DirtyTreeError` if
    tracked files were modified and that was not allowed.
    """
    if not allow_dirty:
        repository.require_clean()
    dirty = allow_dirty and repository.is_dirty()
    head = repository.head()
    since = repository.merge_base(base, "HEAD")
    files = repository.changed_files(since, None if allow_dirty else head)
    changes = _changes(repository, since, files, (*config.gate.toolchain, *installed), config_path)
    closures = Closures(repository.root, changes.files)
    found = {model.name: closures.of(model, opened.get(model.name, ())) for model in config.model}
    unseen = {
        name: closures.perhaps_read(closure, measured=bool(opened.get(name)))
        for name, closure in found.items()
    }
    chosen = decide(config, changes, found, unseen, head, dirty=dirty)
    skipped = tuple(replace(model, opened=opened.get(model.name)) for model in chosen.skipped)
    return replace(chosen, skipped=skipped)


def decide(
    config: Config,
    changes: Changes,
    closures: Mapping[str, Closure],
    unseen: Mapping[str, tuple[str, ...]],
    head: str | None,
    *,
    dirty: bool,
) -> Plan:
    """Decide, as a pure function of the changes, which models have a reason to be measured.

    ``unseen``: the changed files that a model may read, as far as its code shows, by the model's name.
    """
    reasons = {
        model.name: tuple(_reasons(model, config, changes, closures[model.name]))
        or _unseen(unseen.get(model.name, ()))
        for model in config.model
    }
    jobs = tuple(Job(name, "; ".join(found)) for name, found in reasons.items() if found)
    skipped = tuple(
        UnchangedModel(name, f"unchanged since {short(changes.since)}")
        for name, found in reasons.items()
        if not found
    )
    return Plan(jobs, skipped, changes.since, head, dirty, changes.base.config)


def _reasons(model: ModelConfig, config: Config, changes: Changes, closure: Closure) -> Iterator[str]:
    before = changes.base.models.get(model.name)
    if before is None:
        yield changes.base.missing or "new model"
    if changes.toolchain:
        yield f"toolchain changed: {_listed(changes.toolchain)}"
    if before is not None:
        options = _changed_options(model, before)
        if config.gate.max_samples != changes.base.max_samples:
            options.append("max-samples")
        if options:
            yield f"options changed: {_listed(options)}"
        if model.limits != before.limits:
            yield "limits changed"
    if touched := _touched(closure, changes):
        yield f"files changed: {_listed(touched)}"
    if unknown := _untracked(closure, changes):
        yield f"not tracked by git, so a change would not show: {_listed(unknown)}"
    watch = model.watch if before is None else (*model.watch, *before.watch)
    if watched := matching(changes.files, watch):
        yield f"watched files changed: {_listed(watched)}"


def _unseen(files: tuple[str, ...]) -> tuple[str, ...]:
    return (f"files changed that its code may read: {_listed(files)}",) if files else ()


def _changed_options(model: ModelConfig, before: ModelConfig) -> list[str]:
    names = (name for name in ModelConfig.model_fields if name not in _NOT_MEASURING)
    return [kebab(name) for name in names if getattr(model, name) != getattr(before, name)]


def _touched(closure: Closure, changes: Changes) -> tuple[str, ...]:
    """The changed parts of a closure: files, folders with a change, submodules with one of its files."""
    paths = closure.files | closure.absent | closure.behind
    touched = (paths & changes.files) | (paths & changes.folders)
    inside = {name for name in changes.submodules if any(path.startswith(f"{name}/") for path in paths)}
    return tuple(sorted(touched | inside))


def _untracked(closure: Closure, changes: Changes) -> tuple[str, ...]:
    """Files of a closure not tracked by git: ignored, generated, or outside the repository."""
    unknown = closure.ends - changes.tracked - changes.files
    return tuple(sorted(path for path in unknown if _folders_around({path}).isdisjoint(changes.tracked)))


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return names_and_more([f"`{name}`" for name in names], _SHOWN_FILES)


def _changes(
    repository: Repository, since: str, files: frozenset[str], toolchain: tuple[str, ...], config_path: str
) -> Changes:
    base = _base_config(repository, since, config_path)
    patterns = toolchain if base.config is None else (*toolchain, *base.config.gate.toolchain)
    tracked = repository.tracked()
    requirements = matching_above((file for file in tracked if file.endswith(_REQUIREMENTS)), patterns)
    pinning = {*matching_above(files, patterns), *(files & included_in(repository.root, requirements))}
    return Changes(
        since=since,
        files=files,
        folders=_folders_around(files),
        submodules=tuple(file for file in files if (repository.root / file).is_dir()),
        toolchain=_changed_toolchain(repository, since, tuple(sorted(pinning))),
        base=base,
        tracked=tracked,
    )


def _folders_around(files: Iterable[str]) -> frozenset[str]:
    folders: set[str] = set()
    for file in files:
        folder = posixpath.dirname(file)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return frozenset(folders)


def _changed_toolchain(repository: Repository, since: str, files: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        file
        for file in files
        if not is_pyproject(file)
        or pins_differ(repository.read_file(since, file), text_of(repository.root / file))
    )


def _base_config(repository: Repository, since: str, config_path: str) -> BaseConfig:
    """The base's own configuration, whose file may have moved since."""
    try:
        for name in dict.fromkeys((config_path, *CONFIG_NAMES)):
            text = repository.read_file(since, name)
            if text is not None and holds_config(text, name):
                return BaseConfig(parse_config(text, name))
    except ConfigError:
        return BaseConfig(missing=f"the configuration at {short(since)} cannot be read")
    return BaseConfig(missing=f"new: {short(since)} has no configuration")
