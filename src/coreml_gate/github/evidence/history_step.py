"""The step ``history``: a push to the base branch adds its figures to the stored history.

The newest stored histories are merged, so that overlapping pushes lose nothing.
"""

import tempfile
from collections.abc import Iterator
from typing import Final

from coreml_gate.errors import ArtifactError, GateError, GitHubError, RateLimitError, TokenError
from coreml_gate.github.api.artifacts import (
    HISTORY_BYTES,
    HISTORY_FILE,
    HISTORY_LIMITS,
    ArtifactFacts,
    download,
    history_name,
    list_named,
)
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.zips import SafeZip
from coreml_gate.github.effects import Effects
from coreml_gate.github.evidence.base_commit import checked_out
from coreml_gate.github.evidence.baseline import is_trusted_run
from coreml_gate.github.evidence.release import last_release
from coreml_gate.github.requests import HistoryRequest
from coreml_gate.github.step_context import StepContext, at_work
from coreml_gate.history import History, ReleaseMark, merged, parse_history, write_history
from coreml_gate.history.commits import dated_entry
from coreml_gate.record import RECORD_NAME, read_record
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import counted

MOST_MERGED: Final = 10
"""Stored histories that are read, the newest: each holds everything that its run had read, so that a commit
is lost only where more than nine runs overlap with the one that added it."""


def history(request: HistoryRequest, around: Surroundings, effects: Effects) -> int:
    """Write the merged history; earlier ones that cannot be read give a warning."""
    with at_work(request, around, effects) as context:
        record = read_record(request.record / RECORD_NAME)
        entry = dated_entry(record, checked_out(around.folder, around.environment))
        own = History(entries=() if entry is None else (entry,))
        found = merged(_stored(context, request), own, _release(context))
        write_history(found, request.to)
        context.say(f"coreml-gate: history of {counted(len(found.entries), 'commit')}")
    return 0


def _stored(context: StepContext, request: HistoryRequest) -> History:
    try:
        workflow = request.workflow or context.event.workflow_path
        found, notices = _stored_history(context.client, request.key, workflow)
    except GateError as error:
        context.warn([f"The history starts anew: {error.sentence}"])
        return History()
    context.warn(notices)
    return found


def _release(context: StepContext) -> History:
    try:
        release = last_release(context.client)
    except (ArtifactError, GitHubError):
        return History()
    return History(releases=(ReleaseMark(tag=release.tag, commit=release.commit),))


def _stored_history(client: Client, key: str, workflow_path: str) -> tuple[History, tuple[str, ...]]:
    """The merged histories of trusted runs, and why some were not used."""
    notices: list[str] = []
    listed = list_named(client, history_name(key))
    found = list(_readable(client, listed, workflow_path, notices))
    return merged(*found), tuple(notices)


def _readable(
    client: Client, listed: list[ArtifactFacts], workflow_path: str, notices: list[str]
) -> Iterator[History]:
    read = 0
    for artifact in listed:
        if read == MOST_MERGED:
            return
        if artifact.expired or not artifact.same_repository:
            continue
        if not is_trusted_run(client, artifact, workflow_path):
            continue
        read += 1
        try:
            yield _downloaded(client, artifact)
        except (TokenError, RateLimitError):
            raise
        except GateError as error:
            notices.append(f"a stored history was skipped: {error.sentence}")


def _downloaded(client: Client, artifact: ArtifactFacts) -> History:
    with tempfile.TemporaryFile() as file:
        download(client, artifact, file, HISTORY_BYTES)
        return parse_history(SafeZip(file, HISTORY_LIMITS).read(HISTORY_FILE), f"artifact {artifact.name}")
