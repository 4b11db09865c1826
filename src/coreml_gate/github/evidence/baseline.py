"""Finds the baseline of a commit: its own artifact, else its nearest ancestor's, else the reason why not.

An ancestor's baseline is valid for models whose files did not change since. As nothing is checked out here,
GitHub's list of changes decides: a model whose files are not known is left out, and so are all models if the
list is incomplete.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from coreml_gate.children.job import MODELS_FOLDER
from coreml_gate.errors import ArtifactError, GateError, GitHubError, RateLimitError, TokenError
from coreml_gate.frozen import FrozenModel
from coreml_gate.gate.baseline import Baseline
from coreml_gate.gate.mixed_baseline import mixed
from coreml_gate.gate.toolchain import matching
from coreml_gate.github.api.artifacts import (
    BASELINE_BYTES,
    BASELINE_LIMITS,
    READ_ACTIONS,
    ArtifactFacts,
    baseline_name,
    download,
    list_named,
    read_record,
)
from coreml_gate.github.api.client import Client, requesting
from coreml_gate.github.api.zips import SafeZip
from coreml_gate.record import RECORD_NAME, Environment, ModelRecord, Record
from coreml_gate.wording import counted, short
from coreml_gate.writing import write_text

TRUSTED_EVENTS: Final = ("push", "schedule", "merge_group")
"""Events whose runs use the repository's own code, never a pull request's."""
MAX_ANCESTORS: Final = 10
"""Commits searched besides the merge base; each costs a request."""
NOTE_NAME: Final = "baseline.json"
BaselineOrigin = Literal["merge-base", "ancestor", "rebuild", "none"]
MAX_FILES: Final = 300
"""Most changed files that GitHub lists for a comparison (docs.github.com, REST, commits)."""


@dataclass(frozen=True)
class BaselineQuery:
    """The baseline to look for, and its requirements."""

    key: str
    commit: str
    """The merge base."""
    workflow_path: str
    """The workflow whose runs are trusted; empty trusts none."""
    environment: Environment | None = None
    """The head's toolchain, which the baseline must share; ``None`` allows any."""
    ancestors: int = MAX_ANCESTORS


@dataclass(frozen=True)
class StoredBaseline:
    """A baseline that was found; valid while its archive is open."""

    source: BaselineOrigin
    commit: str
    record: Record
    archive: SafeZip
    origin: str


class BaselineNote(FrozenModel):
    """The baseline's origin, as a file that ``report`` reads after ``run``."""

    source: BaselineOrigin
    commit: str | None = None
    origin: str
    """The comment's words on the origin, with the reasons why better baselines were not used."""


def merge_base(client: Client, base: str, head: str) -> str:
    """The commit at which ``head`` left ``base``."""
    with requesting(f"merge base of {base} and {short(head)}"):
        return client.repository.compare(base, head, comparison_commits_per_page=1).merge_base_commit.sha


@contextmanager
def find(client: Client, wanted: BaselineQuery) -> Iterator[tuple[StoredBaseline | None, tuple[str, ...]]]:
    """The nearest baseline or ``None``, and for each better one a phrase why it was not used.

    A bad artifact never ends the search, but a token that may not read artifacts does.
    """
    reasons: list[str] = []
    with tempfile.TemporaryFile() as file:
        for commit, source in _candidates(client, wanted, reasons):
            for artifact in _trusted(client, wanted, commit, reasons):
                file.seek(0)
                file.truncate()
                try:
                    download(client, artifact, file, BASELINE_BYTES)
                    archive = SafeZip(file, BASELINE_LIMITS)
                    record = _fitting(archive, artifact, wanted, commit)
                except GateError as error:
                    reasons.append(_reason(error))
                    continue
                origin = _origin(source, commit, artifact.run_id, reasons)
                yield StoredBaseline(source, commit, record, archive, origin), tuple(reasons)
                return
        yield None, tuple(dict.fromkeys(reasons))


def unpack(stored: StoredBaseline, folder: Path) -> None:
    """Write the Record and the packages below ``folder``, under the checked names only."""
    remove(folder)
    for member in stored.archive.members:
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.writelines(stored.archive.chunks(member.name))


def remove(folder: Path) -> None:
    """Remove an earlier baseline below ``folder``, and nothing else."""
    shutil.rmtree(folder / MODELS_FOLDER, ignore_errors=True)
    (folder / RECORD_NAME).unlink(missing_ok=True)


def _candidates(
    client: Client, wanted: BaselineQuery, reasons: list[str]
) -> Iterator[tuple[str, BaselineOrigin]]:
    yield wanted.commit, "merge-base"
    if wanted.ancestors:
        try:
            with requesting(f"ancestors of {short(wanted.commit)}"):
                listed = client.repository.get_commits(sha=wanted.commit)
                commits = [commit.sha for commit in islice(listed, 1, 1 + wanted.ancestors)]
        except GitHubError as error:
            reasons.append(_reason(error))
            return
        for commit in commits:
            yield commit, "ancestor"
        if commits:
            reasons.append(f"nor at {counted(len(commits), 'ancestor')}")


def _trusted(
    client: Client, wanted: BaselineQuery, commit: str, reasons: list[str]
) -> Sequence[ArtifactFacts]:
    """The commit's artifacts from runs of the repository's own code."""
    listed = list_named(client, baseline_name(wanted.key, commit))
    own = [each for each in listed if each.same_repository and each.run_commit == commit]
    trusted = [each for each in own if is_trusted_run(client, each, wanted.workflow_path)]
    if not trusted and commit == wanted.commit:
        of = " of a trusted run" if listed else ""
        reasons.append(f"no artifact{of} at {short(commit)}")
    return trusted


def is_trusted_run(client: Client, artifact: ArtifactFacts, workflow_path: str) -> bool:
    """Whether the artifact is from a run of the repository's own code in this workflow."""
    with requesting(f"run {artifact.run_id}", READ_ACTIONS):
        run = client.repository.get_workflow_run(artifact.run_id)
        return (
            run.event in TRUSTED_EVENTS
            and run.path.partition("@")[0] == workflow_path != ""
            and run.head_sha == artifact.run_commit
            and run.head_repository is not None
            and run.head_repository.id == run.repository.id
        )


def _fitting(archive: SafeZip, artifact: ArtifactFacts, wanted: BaselineQuery, commit: str) -> Record:
    """The artifact's Record, if it is complete, of this commit, and of the head's toolchain."""
    name = f"artifact {artifact.name}"
    record = read_record(archive, name)
    if record.commit != commit or record.dirty:
        raise ArtifactError(f"{name} has a Record of {record.commit or 'no commit'}, not of {short(commit)}.")
    present = {member.name for member in archive.members}
    for model in record.models:
        if model.package is not None and f"{model.package.path}/Manifest.json" not in present:
            raise ArtifactError(f"{name} is incomplete: the package of `{model.name}` is missing.")
    if wanted.environment is not None:
        for change in record.environment.changes_to(wanted.environment):
            raise ArtifactError(f"{name} was {change}.")
    return record


def _reason(error: GateError) -> str:
    if isinstance(error, TokenError | RateLimitError):
        raise error
    return error.message.rstrip(".")


def _origin(source: BaselineOrigin, commit: str, run_id: int, reasons: Sequence[str]) -> str:
    if source == "merge-base":
        return f"artifact of the merge base {short(commit)}, run {run_id}"
    why = f": {'; '.join(reasons)}" if reasons else ""
    return f"artifact of the ancestor {short(commit)}, run {run_id}{why}"


def write_note(note: BaselineNote, folder: Path) -> None:
    """Write the note for ``report``."""
    write_text(folder / NOTE_NAME, note.model_dump_json(indent=1) + "\n")


def read_note(folder: Path) -> BaselineNote | None:
    """The note of the step ``baseline``, or ``None`` if there is none or it cannot be read."""
    try:
        return BaselineNote.model_validate_json((folder / NOTE_NAME).read_bytes())
    except (OSError, ValueError):
        return None


def unchanged_models(client: Client, stored: Baseline, base: str, toolchain: Sequence[str]) -> Baseline:
    """The baseline without models that had a changed file between its commit and ``base``.

    ``toolchain`` has the patterns of files that every model depends on.
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
    """The changed files; ``None`` if unknown or too many to be listed."""
    try:
        with requesting(f"changes between {short(since)} and {short(until)}"):
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
