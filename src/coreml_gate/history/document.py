"""The history as a file: one entry per commit of the base branch, with the newest commits only.

Merging is a union by commit. The result does not depend on order or repetition, so concurrent pushes lose
nothing.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, NonNegativeInt, StringConstraints, ValidationError

from coreml_gate.errors import RecordError
from coreml_gate.frozen import FrozenModel, first_problem
from coreml_gate.reading import read_named
from coreml_gate.writing import write_text

SCHEMA_VERSION: Final = 1
MOST_COMMITS: Final = 500
"""Number of newest commits to keep: 2 MB for 20 models with 8 metrics each."""

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")]
Moment = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
]


class CommitEntry(FrozenModel):
    """The figures of one commit."""

    commit: Commit
    committed: Moment
    """When the commit was made, in UTC; orders the history."""
    ancestors: NonNegativeInt = 0
    """How many commits precede it; orders commits of the same second."""
    toolchain: dict[str, str]
    """Versions by tool, which can change a figure without a change of the model."""
    models: dict[str, dict[str, float]]
    """Figures by metric, for each measured model."""


class ReleaseMark(FrozenModel):
    """A release of the repository."""

    tag: str
    commit: Commit


class History(FrozenModel):
    """The commits of the base branch in order."""

    schema_version: Literal[1] = SCHEMA_VERSION
    entries: tuple[CommitEntry, ...] = Field(default=(), max_length=MOST_COMMITS)
    releases: tuple[ReleaseMark, ...] = ()

    def release_of(self, commit: str) -> str:
        """The tag of the commit, or empty."""
        return next((release.tag for release in self.releases if release.commit == commit), "")


def merged(*histories: History) -> History:
    """All commits of all histories, each once, without the oldest beyond :data:`MOST_COMMITS`.

    Of two entries for one commit, the larger one is kept, so that a job that measured half of the models does
    not replace one that measured all.
    """
    best: dict[str, CommitEntry] = {}
    for entry in (entry for history in histories for entry in history.entries):
        known = best.get(entry.commit)
        best[entry.commit] = entry if known is None else max(known, entry, key=_held)
    entries = sorted(best.values(), key=_order)[-MOST_COMMITS:]
    return History(entries=tuple(entries), releases=_marks(histories, {entry.commit for entry in entries}))


def toolchain_changes(history: History) -> Iterator[tuple[CommitEntry, str]]:
    """Commits with another version than the commit before, such as ``torch 2.9.0 to 2.13.0``."""
    for one, other in pairwise(history.entries):
        before, after = one.toolchain, other.toolchain
        differing = sorted(tool for tool in before.keys() & after.keys() if before[tool] != after[tool])
        if differing:
            yield other, ", ".join(f"{tool} {before[tool]} to {after[tool]}" for tool in differing)


def _order(entry: CommitEntry) -> tuple[str, int, str]:
    return entry.committed, entry.ancestors, entry.commit


def _held(entry: CommitEntry) -> tuple[int, str]:
    """Sort key by size; the text breaks ties, so that the order of merging never matters."""
    return sum(map(len, entry.models.values())), entry.model_dump_json()


def _marks(histories: Iterable[History], commits: set[str]) -> tuple[ReleaseMark, ...]:
    marks = {(mark.tag, mark.commit): mark for history in histories for mark in history.releases}
    return tuple(mark for _, mark in sorted(marks.items()) if mark.commit in commits)


def read_history(path: Path) -> History:
    """Read a history; :class:`RecordError` says what is wrong with the file."""
    try:
        text = read_named(path)
    except OSError as error:
        raise RecordError(
            f"history `{path}` cannot be read: {error}.",
            "name the history.json of a run on the base branch, or make one with `--add RECORD`.",
        ) from error
    return parse_history(text, f"history `{path}`")


def parse_history(text: bytes, name: str) -> History:
    """Check the text against the schema; ``name`` is its origin in messages."""
    try:
        return History.model_validate_json(text)
    except ValidationError as error:
        way_out = f"this version reads schema version {SCHEMA_VERSION}."
        raise RecordError(f"{name}: {first_problem(error)}.", way_out) from error


def write_history(history: History, path: Path) -> None:
    """Write the history as JSON."""
    write_text(path, history.model_dump_json(indent=1) + "\n")
