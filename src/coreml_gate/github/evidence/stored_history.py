"""The histories that earlier runs stored: the recent ones are merged, so that pushes lose nothing."""

import tempfile
from collections.abc import Iterator
from typing import Final

from coreml_gate.errors import GateError, RateLimitError, TokenError
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
from coreml_gate.github.evidence.baseline import is_trusted_run
from coreml_gate.history import History, merged, parse_history

MOST_MERGED: Final = 10
"""Stored histories that are read, the newest: each holds everything that its run had read, so that a commit
is lost only where more than nine runs overlap with the one that added it."""


def stored_history(client: Client, key: str, workflow_path: str) -> tuple[History, tuple[str, ...]]:
    """What trusted runs stored, merged, and why some of it was passed over."""
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
            notices.append(f"a stored history was passed over: {error.sentence}")


def _downloaded(client: Client, artifact: ArtifactFacts) -> History:
    with tempfile.TemporaryFile() as file:
        download(client, artifact, file, HISTORY_BYTES)
        return parse_history(SafeZip(file, HISTORY_LIMITS).read(HISTORY_FILE), f"artifact {artifact.name}")
