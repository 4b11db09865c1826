"""Uses a baseline of an older commit for those models whose files have not changed up to the merge base."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from coreml_gate.config import Config
from coreml_gate.errors import GateError, MissingCommitError
from coreml_gate.frozen import changed
from coreml_gate.gate.baseline import Baseline
from coreml_gate.gate.git import Repository
from coreml_gate.gate.opened import OpenedByModel
from coreml_gate.gate.plan import plan
from coreml_gate.reading import copy_tree
from coreml_gate.record import ModelRecord, Record
from coreml_gate.verdict import BaselineFacts
from coreml_gate.wording import listed, short


def is_older(stored: Record, base: str, repository: Repository) -> bool:
    """Whether the Record's commit is an ancestor of the base, as far as this clone knows."""
    if stored.commit is None or stored.commit == base:
        return False
    with suppress(MissingCommitError):
        return repository.is_ancestor(repository.commit(stored.commit), base)
    return False


def changed_between(
    stored: Record, tree: Repository, config: Config, config_path: str, opened: OpenedByModel
) -> frozenset[str]:
    """The models of the base's tree that changed since the Record was measured.

    If the tree cannot be planned, all of them count as changed.
    """
    every = frozenset(model.name for model in config.model)
    if stored.commit is None:
        return every
    try:
        found = plan(tree, config, stored.commit, config_path=config_path, opened=opened)
    except GateError:
        return every
    return frozenset(job.name for job in found.jobs)


def mixed(
    stored: Baseline, rebuilt: Record | None, stale: Iterable[str], base: str, folder: Path | None
) -> Baseline:
    """The stored baseline with its stale models replaced by ``rebuilt``, or removed; the origin names each.

    Afterwards all packages are in ``folder``.
    """
    names = sorted(stale)
    if stored.record is None or not names:
        return stored
    measured = (
        {} if rebuilt is None else {model.name: model for model in rebuilt.models if model.name in names}
    )
    kept = [model for model in stored.record.models if model.name not in names]
    _bring_packages(kept, stored.folder, folder)
    record = changed(stored.record, models=(*kept, *measured.values()))
    since = f"changed since {short(stored.record.commit or '')}"
    how = f"measured again at {short(base)}" if measured else "left out"
    origin = f"{stored.facts.origin}; {listed(names)} {how}: {since}"
    return Baseline(BaselineFacts(origin=origin, commit=stored.facts.commit, present=True), record, folder)


def _bring_packages(models: Sequence[ModelRecord], source: Path | None, target: Path | None) -> None:
    if source is None or target is None or source == target:
        return
    for model in models:
        if model.package is not None and (source / model.package.path).is_dir():
            copy_tree(source / model.package.path, target / model.package.path)
