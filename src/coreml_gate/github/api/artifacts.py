"""Artifacts: their names, listing them, and downloading them safely."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final
from urllib.parse import urljoin, urlsplit

import requests
from github.Artifact import Artifact
from github.WorkflowRun import WorkflowRun

from coreml_gate.errors import ArtifactError
from coreml_gate.github.api.client import Client, failure, requesting
from coreml_gate.github.api.zips import SafeZip, ZipLimits
from coreml_gate.record import RECORD_NAME, Record, parse_record

READ_ACTIONS: Final = "actions: read"
MAX_LISTED: Final = 100
"""Most artifacts of one name that are read, because a pull request can upload any number of them."""
MAX_OF_RUN: Final = 1_000
"""Most artifacts of a run that are looked through, as many as actions/download-artifact's own list has."""
_CHUNK: Final = 1 << 20
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 3
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_SEGMENT: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,126}[A-Za-z0-9_-])?"
_MODEL: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"

BASELINE_BYTES: Final = 2 * 10**9
RECORD_BYTES: Final = 8 * 10**6
"""Largest Record: enough for 30 models with 1,000 operations each, with outline and profile."""
BASELINE_LIMITS: Final = ZipLimits(
    names=re.compile(rf"record\.json|models/{_MODEL}/package\.mlpackage(?:/{_SEGMENT}){{1,6}}"),
    members=10_000,
    total_bytes=4 * BASELINE_BYTES,
    ratio=1_000,
)
HISTORY_FILE: Final = "history.json"
HISTORY_BYTES: Final = 20 * 10**6
HISTORY_LIMITS: Final = ZipLimits(
    re.compile(r"history\.json"), members=1, total_bytes=HISTORY_BYTES, ratio=1_000
)
RECORD_LIMITS: Final = ZipLimits(re.compile(r"record\.json"), members=1, total_bytes=RECORD_BYTES, ratio=200)


def baseline_name(key: str, commit: str) -> str:
    """The artifact with the Record and the packages of a commit of the base branch."""
    return f"coreml-gate-baseline-{key}-{commit}"


def history_name(key: str) -> str:
    """The artifact with the figures of the base branch's commits."""
    return f"coreml-gate-history-{key}"


def record_name(key: str, shard: int = 1) -> str:
    """The artifact with one job's Record of a pull request."""
    return f"coreml-gate-record-{key}-{shard}"


def report_name(key: str) -> str:
    """The artifact with the report in every format."""
    return f"coreml-gate-report-{key}"


def is_record_name(name: str, key: str) -> bool:
    """Whether an artifact holds a Record of this key, of any shard."""
    return re.fullmatch(rf"coreml-gate-record-{re.escape(key)}-\d{{1,3}}", name) is not None


@dataclass(frozen=True)
class ArtifactFacts:
    """GitHub's description of an artifact that has not been downloaded."""

    id: int
    name: str
    size: int
    expired: bool
    digest: str
    """``sha256:`` and 64 digits, or empty."""
    url: str
    run_id: int
    run_commit: str
    same_repository: bool
    """Whether the head of its run is in this repository."""
    accept: str = ""
    """The media type for which GitHub sends the file instead of its description."""


def list_named(client: Client, name: str) -> list[ArtifactFacts]:
    """The repository's artifacts of one name, newest first."""
    with requesting(f"artifacts named {name}", READ_ACTIONS):
        listed = client.repository.get_artifacts(name=name)
        return _described(islice(listed, MAX_LISTED))


def records_of_run(client: Client, run_id: int, key: str) -> list[ArtifactFacts]:
    """The artifacts of one run that hold Records of a key, among all those of the workflow's other jobs."""
    with requesting(f"artifacts of run {run_id}", READ_ACTIONS):
        listed = islice(client.repository.get_workflow_run(run_id).get_artifacts(), MAX_OF_RUN)
        return _described(each for each in listed if is_record_name(each.name, key))


def download(client: Client, artifact: ArtifactFacts, sink: BinaryIO, limit: int) -> None:
    """Write an artifact's zip, of at most ``limit`` bytes, to ``sink``, and check its digest."""
    if artifact.expired:
        raise ArtifactError(f"{_named(artifact)} has expired.", _MEASURE_AGAIN)
    if artifact.size > limit:
        raise _too_large(artifact, limit)
    digest = hashlib.sha256()
    size = 0
    with requesting(_named(artifact), READ_ACTIONS):
        for chunk in _stream(client, artifact):
            size += len(chunk)
            if size > limit:
                raise _too_large(artifact, limit)
            digest.update(chunk)
            sink.write(chunk)
    _check_digest(artifact, digest.hexdigest())
    sink.seek(0)


def read_record(archive: SafeZip, name: str) -> Record:
    """The Record in an archive; ``name`` identifies it in messages."""
    if RECORD_NAME not in {member.name for member in archive.members}:
        raise ArtifactError(f"{name} has no `{RECORD_NAME}`.", _MEASURE_AGAIN)
    try:
        text = archive.read(RECORD_NAME).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactError(f"the `{RECORD_NAME}` of {name} is not UTF-8.", _MEASURE_AGAIN) from error
    return parse_record(text, f"{name}/{RECORD_NAME}")


_MEASURE_AGAIN: Final = "measure again: re-run the job that uploaded it."


def _described(artifacts: Iterable[Artifact]) -> list[ArtifactFacts]:
    """The artifacts whose run is known: GitHub may name none, and without one nothing is trusted."""
    runs: Iterator[tuple[Artifact, WorkflowRun | None]] = ((each, each.workflow_run) for each in artifacts)
    return [_facts(artifact, run) for artifact, run in runs if run is not None]


def _facts(artifact: Artifact, run: WorkflowRun) -> ArtifactFacts:
    return ArtifactFacts(
        id=artifact.id,
        name=artifact.name,
        size=artifact.size_in_bytes,
        expired=artifact.expired,
        digest=artifact.digest or "",
        url=artifact.archive_download_url,
        run_id=run.id,
        run_commit=run.head_sha,
        same_repository=run.repository_id == run.head_repository_id,
    )


def _stream(client: Client, artifact: ArtifactFacts) -> Iterator[bytes]:
    with _open(client, artifact) as response:
        if response.status_code != requests.codes.ok:
            raise failure(_named(artifact), response.status_code, "", READ_ACTIONS)
        yield from response.iter_content(_CHUNK)


def _open(client: Client, artifact: ArtifactFacts) -> requests.Response:
    """Follow redirects by hand, so that only GitHub gets the token, and not the storage host."""
    home = urlsplit(artifact.url)
    url = artifact.url
    accept = {"Accept": artifact.accept} if artifact.accept else {}
    for _ in range(_MAX_REDIRECTS + 1):
        at_home = urlsplit(url)[:2] == home[:2]
        response = client.session.get(
            url,
            headers=accept | ({"Authorization": client.authorization} if at_home else {}),
            allow_redirects=False,
            stream=True,
            timeout=client.timeout_s,
        )
        if response.status_code not in _REDIRECTS:
            return response
        response.close()
        url = urljoin(url, response.headers.get("Location", ""))
        if home.scheme == "https" and urlsplit(url).scheme != "https":
            raise ArtifactError(f"{_named(artifact)} redirects to an address without TLS.", _MEASURE_AGAIN)
    raise ArtifactError(f"{_named(artifact)} redirects more than {_MAX_REDIRECTS} times.", _MEASURE_AGAIN)


def _check_digest(artifact: ArtifactFacts, found: str) -> None:
    if not artifact.digest:
        return
    expected = _DIGEST.fullmatch(artifact.digest)
    if expected is None or expected[1] != found:
        raise ArtifactError(
            f"{_named(artifact)} does not match its digest: sha256:{found[:12]}…, "
            f"expected {artifact.digest[:19]}….",
            _MEASURE_AGAIN,
        )


def _too_large(artifact: ArtifactFacts, limit: int) -> ArtifactError:
    return ArtifactError(
        f"{_named(artifact)} is larger than the allowed {limit:,} bytes.",
        "measure fewer models in one job, or keep large files out of the artifact.",
    )


def _named(artifact: ArtifactFacts) -> str:
    return f"artifact {artifact.name} ({artifact.id})"
