"""Which stored Record a pull request is compared with, and what is said of those that were passed over."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.errors import TokenError
from coreml_gate.github.api.client import Client
from coreml_gate.github.evidence.baseline import (
    BaselineNote,
    BaselineQuery,
    find,
    merge_base,
    read_note,
    unpack,
    write_note,
)
from tests.builders import environment as toolchain
from tests.github_api.faults import NOT_ACCESSIBLE, Fault
from tests.github_api.hub import WORKFLOW, Hub
from tests.github_api.server import TOKEN, GitHubServer
from tests.github_side.stored import BASE, GRANDPARENT, PACKAGE, PARENT, add_baseline, baseline_files

WANTED = BaselineQuery(key="default", commit=BASE, workflow_path=WORKFLOW)


def search(client: Client, wanted: BaselineQuery = WANTED) -> tuple[str, str, tuple[str, ...]]:
    """The source, the commit and the reasons."""
    with find(client, wanted) as (stored, reasons):
        return (stored.source, stored.commit, reasons) if stored else ("none", "", reasons)


@pytest.fixture(autouse=True)
def _history(hub: Hub) -> None:
    hub.history = [BASE, PARENT, GRANDPARENT]


def test_the_merge_base_is_asked_of_github(hub: Hub, client: Client) -> None:
    hub.merge_base = BASE

    assert merge_base(client, "main", "a" * 40) == BASE


def test_the_artifact_of_the_merge_base_is_taken_and_unpacked(
    hub: Hub, client: Client, tmp_path: Path
) -> None:
    run = add_baseline(hub)
    add_baseline(hub, PARENT)

    with find(client, WANTED) as (stored, reasons):
        assert stored is not None
        unpack(stored, tmp_path / "base")
    assert (stored.source, stored.commit, reasons) == ("merge-base", BASE, ())
    assert stored.origin == f"artifact of the merge base bbbbbbb, run {run}"
    assert stored.record.models[0].name == "digits"
    files = {path.relative_to(tmp_path / "base").as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == set(baseline_files())
    assert (tmp_path / "base" / PACKAGE / "Manifest.json").read_bytes() == b"{}"


def test_the_token_stays_with_github(hub: Hub, server: GitHubServer, client: Client) -> None:
    add_baseline(hub)
    search(client)

    to_blobs = [request for request in server.requests if request.path.startswith("/_blob/")]
    assert len(to_blobs) == 1
    assert "Authorization" not in to_blobs[0].headers
    assert any(
        TOKEN in each.headers.get("Authorization", "") for each in server.requests if "/zip" in each.path
    )


def test_without_one_the_nearest_ancestor_is_taken_and_named(hub: Hub, client: Client) -> None:
    add_baseline(hub, GRANDPARENT)
    run = add_baseline(hub, PARENT, run={"event": "merge_group"})

    with find(client, WANTED) as (stored, _):
        assert stored is not None
        assert stored.origin == f"artifact of the ancestor ccccccc, run {run}: no artifact at bbbbbbb"


def test_the_search_is_bounded(hub: Hub, server: GitHubServer, client: Client) -> None:
    hub.history = [BASE, *(f"{number:040x}" for number in range(30))]

    source, _, reasons = search(client)
    assert (source, reasons) == ("none", ("no artifact at bbbbbbb", "nor at 10 ancestors"))
    assert server.asked("GET", "/actions/artifacts") == 11


@pytest.mark.parametrize(
    ("run", "artifact"),
    [
        ({"event": "pull_request"}, {}),
        ({"event": "workflow_dispatch"}, {}),
        ({"path": ".github/workflows/other.yml"}, {}),
        ({"head_repository": 666}, {}),
        (
            {"event": "push"},
            {"workflow_run": {"id": 0, "head_sha": PARENT, "repository_id": 1, "head_repository_id": 1}},
        ),
    ],
    ids=["pull request", "by hand", "other workflow", "fork", "other commit"],
)
def test_only_runs_of_the_repositorys_own_code_are_trusted(
    hub: Hub, client: Client, run: dict[str, Any], artifact: dict[str, Any]
) -> None:
    add_baseline(hub, run=run, **artifact)

    source, _, reasons = search(client)
    assert source == "none"
    assert reasons[0] == "no artifact of a trusted run at bbbbbbb"


def test_the_run_itself_is_asked_where_its_code_came_from(hub: Hub, client: Client) -> None:
    add_baseline(hub, run={"head_repository": 666})
    (artifact,) = hub.artifacts.values()
    artifact["workflow_run"]["head_repository_id"] = artifact["workflow_run"]["repository_id"]

    assert search(client)[0] == "none"


def test_a_trusted_artifact_is_found_among_forged_ones(hub: Hub, client: Client) -> None:
    run = add_baseline(hub)
    for _ in range(3):
        add_baseline(hub, run={"event": "pull_request", "head_repository": 666})

    with find(client, WANTED) as (stored, _):
        assert stored is not None
        assert stored.origin.endswith(f"run {run}")


def without(name: str) -> dict[str, bytes]:
    return {path: data for path, data in baseline_files().items() if path != name}


SPOILED: dict[str, tuple[Callable[[Hub], object], str]] = {
    "expired": (lambda hub: add_baseline(hub, expired=True), r"has expired"),
    "no record": (lambda hub: add_baseline(hub, files=without("record.json")), "has no `record.json`"),
    "partial": (
        lambda hub: add_baseline(hub, files=without(f"{PACKAGE}/Manifest.json")),
        "is incomplete: the package of `digits` is missing",
    ),
    "digest": (lambda hub: add_baseline(hub, digest="sha256:" + "0" * 64), "does not match its digest"),
    "size": (lambda hub: add_baseline(hub, size_in_bytes=3 * 10**9), "larger than the allowed 2,000,000,000"),
    "schema": (
        lambda hub: add_baseline(hub, files={**baseline_files(), "record.json": b'{"schema_version": 99}'}),
        "at `schema_version`",
    ),
    "other commit": (
        lambda hub: add_baseline(hub, files=baseline_files(PARENT)),
        f"has a Record of {PARENT}, not of bbbbbbb",
    ),
    "dirty": (lambda hub: add_baseline(hub, files=baseline_files(dirty=True)), "has a Record of"),
    "foreign file": (
        lambda hub: add_baseline(hub, files={**baseline_files(), "../../evil.py": b""}),
        r"'\.\./\.\./evil\.py' has no place in it",
    ),
    "not a zip": (lambda hub: _replace_blob(hub, b"<html>"), "not a zip"),
    "not UTF-8": (
        lambda hub: add_baseline(hub, files={**baseline_files(), "record.json": b"\xff"}),
        "not UTF-8",
    ),
    "another gate": (
        lambda hub: add_baseline(hub, files=baseline_files(environment=toolchain(coreml_gate="0.0.1"))),
        r"measured with coreml-gate 0\.0\.1, the head with ",
    ),
    "toolchain": (
        lambda hub: add_baseline(hub, files=baseline_files(environment=toolchain(torch="2.4.0"))),
        r"measured with torch 2\.4\.0, the head with 2\.13\.0",
    ),
}


def _replace_blob(hub: Hub, data: bytes) -> None:
    add_baseline(hub, digest=None)
    hub.blobs[max(hub.blobs)] = data


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_artifact_makes_way_for_the_next_source(hub: Hub, client: Client, what: str) -> None:
    spoil, reason = SPOILED[what]
    spoil(hub)
    add_baseline(hub, PARENT)
    wanted = BaselineQuery("default", BASE, WORKFLOW, environment=toolchain())

    source, commit, reasons = search(client, wanted)
    assert (source, commit) == ("ancestor", PARENT)
    assert len(reasons) == 1
    assert re.search(reason, reasons[0]), reasons[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", "/zip", 410, {"message": "Artifact has expired"}),
        Fault("GET", "/zip", 404, {"message": "Not Found"}),
        Fault("GET", "/_blob/", 500, times=3),
        Fault("GET", "/_blob/", kind="cut"),
        Fault(
            "GET", "/zip", 302, headers={"Location": "/repos/acme/models/actions/artifacts/1/zip"}, times=9
        ),
    ],
    ids=["gone", "missing", "server error", "cut", "redirects in a circle"],
)
def test_a_failed_download_makes_way_for_the_next_source(
    hub: Hub, server: GitHubServer, client: Client, fault: Fault
) -> None:
    add_baseline(hub)
    server.faults.append(fault)

    source, _, reasons = search(client)
    assert source == "none"
    assert "artifact coreml-gate-baseline-default-" in reasons[0]
    server.faults.clear()
    assert search(client)[0] == "merge-base"


def test_a_stream_beyond_its_announced_size_is_cut_off(
    hub: Hub, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coreml_gate.github.evidence.baseline.BASELINE_BYTES", 100_000)
    add_baseline(hub, files={"record.json": os.urandom(200_000)}, size_in_bytes=10)

    assert "larger than the allowed 100,000 bytes" in search(client)[2][0]


def test_a_token_that_may_not_read_artifacts_ends_the_search(server: GitHubServer, client: Client) -> None:
    server.faults.append(Fault("GET", "/actions/artifacts", 403, NOT_ACCESSIBLE))

    with pytest.raises(TokenError) as caught:
        search(client)
    assert "`actions: read`" in caught.value.hint


def test_without_a_pinned_workflow_nothing_is_trusted(hub: Hub, client: Client) -> None:
    add_baseline(hub, run={"path": ""})

    assert search(client, BaselineQuery("default", BASE, workflow_path=""))[0] == "none"


def test_an_artifact_of_no_known_run_is_not_trusted_and_hides_no_other(hub: Hub, client: Client) -> None:
    """GitHub's description of its API allows ``null`` for the run of an artifact."""
    add_baseline(hub)
    add_baseline(hub, workflow_run=None)

    assert search(client) == ("merge-base", BASE, ())


def test_a_note_goes_from_one_step_to_the_next(tmp_path: Path) -> None:
    note = BaselineNote(source="rebuild", commit=BASE, origin="no artifact at bbbbbbb")
    write_note(note, tmp_path / "out")

    assert read_note(tmp_path / "out") == note
    assert read_note(tmp_path) is None
    (tmp_path / "baseline.json").write_text("{")
    assert read_note(tmp_path) is None
