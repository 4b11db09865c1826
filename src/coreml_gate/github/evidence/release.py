"""The last release's Record: a file of the release, which stays, or its baseline, which expires."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from github.GitReleaseAsset import GitReleaseAsset

from coreml_gate.errors import ArtifactError, GitHubError
from coreml_gate.github.api.artifacts import RECORD_BYTES, ArtifactFacts, download
from coreml_gate.github.api.client import Client, requesting
from coreml_gate.github.evidence.baseline import BaselineQuery, find
from coreml_gate.record import Record, parse_record
from coreml_gate.wording import short

_UPLOAD_AGAIN: Final = "upload the record.json of the release's own commit under this name."


@dataclass(frozen=True)
class Release:
    """The last release and its files."""

    tag: str
    commit: str
    files: tuple[ArtifactFacts, ...]


def file_name(key: str) -> str:
    """Name of the file with a release's own Record."""
    return f"coreml-gate-record-{key}.json"


def last_release(client: Client) -> Release:
    """The newest release that is neither a draft nor a preview."""
    try:
        with requesting("the last release"):
            found = client.repository.get_latest_release()
            commit = client.repository.get_commits(sha=found.tag_name)[0].sha
            return Release(found.tag_name, commit, tuple(_facts(each, commit) for each in found.assets))
    except GitHubError as error:
        if not error.is_missing:
            raise
        raise ArtifactError("no comparison with the last release: there is none yet.") from None


def record_of(client: Client, release: Release, key: str, workflow_path: str) -> Record:
    """The release's Record; :class:`ArtifactError` says why there is none."""
    files = [each for each in release.files if each.name == file_name(key)]
    if files:
        return _downloaded(client, files[0], release)
    with find(client, BaselineQuery(key, release.commit, workflow_path, ancestors=0)) as (stored, reasons):
        if stored is None:
            raise _nothing_left(release, key, reasons)
        return stored.record


def _downloaded(client: Client, file: ArtifactFacts, release: Release) -> Record:
    buffer = io.BytesIO()
    download(client, file, buffer, RECORD_BYTES)
    name = f"file {file.name} of release {release.tag}"
    try:
        record = parse_record(buffer.getvalue().decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{name} is not UTF-8.", _UPLOAD_AGAIN) from error
    if record.commit != release.commit:
        held = record.commit or "no commit"
        raise ArtifactError(f"{name} has a Record of {held}, not of {short(release.commit)}.", _UPLOAD_AGAIN)
    return record


def _nothing_left(release: Release, key: str, reasons: Sequence[str]) -> ArtifactError:
    return ArtifactError(
        f"release `{release.tag}` is not compared: {'; '.join(reasons)}.",
        f"artifacts expire: attach record.json to the release as `{file_name(key)}`.",
    )


def _facts(asset: GitReleaseAsset, commit: str) -> ArtifactFacts:
    return ArtifactFacts(
        id=asset.id,
        name=asset.name,
        size=asset.size,
        expired=False,
        digest=asset.digest or "",
        url=asset.url,
        run_id=0,
        run_commit=commit,
        same_repository=True,
        accept="application/octet-stream",
    )
