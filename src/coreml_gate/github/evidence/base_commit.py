"""The commit that a checked-out pull request is compared with; the event's can be hours old."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coreml_gate.errors import MissingCommitError, RepositoryError
from coreml_gate.gate.git import Repository
from coreml_gate.github.api.event import Event

_OF_A_MERGE: Final = 2


def checked_out(folder: Path, environment: Mapping[str, str]) -> Repository | None:
    """The repository around a folder, or ``None`` for a job that checks nothing out."""
    try:
        return Repository.open(folder, environment)
    except RepositoryError:
        return None


def base_commit(repository: Repository | None, event: Event) -> str | None:
    """The full id of the commit that the head is compared with; ``None`` if nothing is compared.

    ``actions/checkout`` takes the merge of the head with the base branch as it is now, while the event names
    the base branch as it was (shakacode/react_on_rails#4819, lablup/backend.ai#11862). So the first parent of
    that merge is the base. Of the head itself, or of a merge queue's candidate, it is the commit at which it
    left the base branch, by the newest state of that branch in this clone.
    """
    if event.base_sha is None or repository is None:
        return event.base_sha
    head = repository.commit("HEAD")
    parents = repository.parents(head)
    if len(parents) == _OF_A_MERGE and parents[1] == event.head_sha:
        return parents[0]
    found = [_merge_base(repository, name, head) for name in (event.base_sha, f"origin/{event.base_ref}")]
    return _newest(repository, [each for each in found if each is not None]) or event.base_sha


def _merge_base(repository: Repository, base: str, head: str) -> str | None:
    """Where the head left a base, or ``None`` if that is not in this clone."""
    try:
        return repository.merge_base(base, head)
    except MissingCommitError:
        return None


def _newest(repository: Repository, commits: list[str]) -> str | None:
    newest = commits[0] if commits else None
    for commit in commits[1:]:
        if newest is not None and repository.is_ancestor(newest, commit):
            newest = commit
    return newest
