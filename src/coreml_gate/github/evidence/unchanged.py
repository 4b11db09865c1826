"""Which models of an ancestor's baseline still hold at the merge base, by what GitHub says has changed.

Nothing is checked out where this is needed: a model whose files are not known does not hold, and none does
where GitHub does not list all changes.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from coreml_gate.errors import GitHubError
from coreml_gate.gate.baseline import Baseline
from coreml_gate.gate.git import short
from coreml_gate.gate.mixed_baseline import mixed
from coreml_gate.gate.toolchain import matching
from coreml_gate.github.api.client import Client, asking
from coreml_gate.record import ModelRecord

MAX_FILES: Final = 300
"""As many changed files as GitHub lists of a comparison (docs.github.com, REST, commits)."""


def unchanged_models(client: Client, stored: Baseline, base: str, toolchain: Sequence[str]) -> Baseline:
    """The baseline without the models of which a file changed between its commit and ``base``.

    ``toolchain``: patterns of the files on which every model depends.
    """
    record = stored.record
    if record is None or record.commit is None or record.commit == base:
        return stored
    changed = _changed_files(client, record.commit, base)
    stale = [
        model.name for model in record.models if changed is None or _is_touched(model, changed, toolchain)
    ]
    return mixed(stored, None, stale, base, folder=None)


def _changed_files(client: Client, since: str, until: str) -> frozenset[str] | None:
    """``None`` where they are not known, or too many to be listed."""
    try:
        with asking(f"changes between {short(since)} and {short(until)}"):
            listed = list(islice(client.repository.compare(since, until).files, MAX_FILES))
    except GitHubError:
        return None
    if len(listed) >= MAX_FILES:
        return None
    names = (name for file in listed for name in (file.filename, file.previous_filename))
    return frozenset(name for name in names if name)


def _is_touched(model: ModelRecord, changed: frozenset[str], toolchain: Sequence[str]) -> bool:
    if model.opened is None:
        return bool(changed)
    below = {name for name in model.opened if any(path.startswith(f"{name}/") for path in changed)}
    configured = {path for path in changed if path.endswith(".toml")}
    return bool(changed & set(model.opened) or below or matching(changed, toolchain) or configured)
