"""What an untrusted run left behind: taken as data, cleaned, and judged by the base branch's limits."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from coreml_gate.config.load import parse_config
from coreml_gate.errors import ArtifactError, ConfigError, RecordError
from coreml_gate.github.api.client import Client
from coreml_gate.github.api.event import SourceRun
from coreml_gate.github.api.pull_request import (
    Identified,
    identify,
    may_write,
    read_config,
    read_pull,
    statements,
)
from coreml_gate.github.evidence.untrusted_record import cleaned, read_untrusted, rejudge
from coreml_gate.verdict import BaselineFacts
from tests.builders import comparison, model_record, package, record
from tests.github_api.hub import FORKER, GHOST, Hub, zipped
from tests.github_side.stored import HEAD, add_record, digits

pytestmark = pytest.mark.attack("Records from elsewhere")

CONFIG = b'[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'
NO_BASE = BaselineFacts(origin="none")


def source_run(run: int, conclusion: str = "success") -> SourceRun:
    path = ".github/workflows/gate.yml"
    return SourceRun(run, "pull_request", path, HEAD, "feature", FORKER, 666, conclusion)


def test_the_shards_of_a_run_become_one_record_of_the_head(hub: Hub, client: Client) -> None:
    run = add_record(hub, record(digits(), commit=HEAD))
    add_record(hub, record(model_record(name="faces"), commit=HEAD), 2, run)
    hub.add_artifact(run, "something-else", b"x")

    merged = read_untrusted(client, source_run(run), "default")
    assert [model.name for model in merged.record.models] == ["digits", "faces"]
    assert (merged.record.commit, merged.notes) == (HEAD, ())


def test_a_job_that_ran_twice_counts_once_with_its_last_record(hub: Hub, client: Client) -> None:
    run = add_record(hub, record(digits(), commit=HEAD, engine="mil"))
    add_record(hub, record(digits(), commit=HEAD, engine="coreml"), 1, run)

    assert read_untrusted(client, source_run(run), "default").record.engine == "coreml"


def test_the_record_is_found_among_the_artifacts_of_a_large_workflow(hub: Hub, client: Client) -> None:
    """A run has up to 500 artifacts of each job (dawidd6/action-download-artifact#204 listed 30 of them)."""
    run = hub.add_run(HEAD, "pull_request")
    for number in range(230):
        hub.add_artifact(run, f"wheel-{number}", b"")
    add_record(hub, record(digits(), commit=HEAD), run=run)

    assert read_untrusted(client, source_run(run), "default").record.commit == HEAD


def test_a_record_of_another_commit_is_said_and_bears_the_heads_name(hub: Hub, client: Client) -> None:
    run = add_record(hub, record(digits(), commit="e" * 40))

    merged = read_untrusted(client, source_run(run), "default")
    assert merged.record.commit == HEAD
    assert "the numbers are of another commit than the head" in merged.notes[0]


def test_a_run_without_a_record_says_how_it_ended(hub: Hub, client: Client) -> None:
    run = hub.add_run(HEAD, "pull_request")

    with pytest.raises(ArtifactError, match=r"stored no artifact .* \(it ended with `failure`\)"):
        read_untrusted(client, source_run(run, "failure"), "default")


def mutated(**changes: Any) -> bytes:
    return zipped({"record.json": json.dumps(record(digits()).model_dump(mode="json") | changes).encode()})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped({"record.json": b"{}", "evil.py": b"import os"}), "has 2 files, allowed 1"),
        (zipped({"evil.py": b"import os"}), "'evil.py' has no place in it"),
        (zipped({"record.json": b"[" * 100_000}), "Invalid JSON"),
        (zipped({"record.json": b'{"models":' * 50_000}), "Invalid JSON"),
        (mutated(extra=1), "Extra inputs are not permitted"),
        (mutated(schema_version=2), "at `schema_version`"),
        (zipped({"record.json": b"\0" * 6_000_000}), "unpacks to 6,000,000 bytes"),
        (b"PK\x03\x04 truncated", "not a zip"),
    ],
)
def test_hostile_artifacts_are_refused(hub: Hub, client: Client, data: bytes, message: str) -> None:
    run = add_record(hub, data)

    with pytest.raises((ArtifactError, RecordError), match=message):
        read_untrusted(client, source_run(run), "default")


def test_a_claimed_size_above_the_limit_is_not_downloaded(hub: Hub, client: Client) -> None:
    run = add_record(hub, record(digits()))
    hub.artifacts[max(hub.artifacts)]["size_in_bytes"] = 10**12

    with pytest.raises(ArtifactError, match="larger than the allowed 8,000,000 bytes"):
        read_untrusted(client, source_run(run), "default")


def test_text_is_plain_and_short_afterwards() -> None:
    evil = "a\u202eb\x1b[31m\u0000c\nd" + "x" * 10_000
    text = cleaned(record(model_record(name=evil))).models[0].name

    assert text.startswith("ab[31mc d")
    assert len(text) == 4_000


@pytest.mark.parametrize(
    "model",
    [
        model_record(package=package(total_bytes=10**400)),
        model_record(parity=(comparison(max_abs_error=1e300),)),
        model_record(parity=(comparison(psnr=-1e200),)),
        model_record(unsupported=("x",) * 20_001),
    ],
)
def test_numbers_that_no_run_can_measure_are_refused(model: Any) -> None:
    with pytest.raises(RecordError, match="the Record has"):
        cleaned(record(model))


def test_an_honest_record_stays_as_it_is() -> None:
    line = "a\tadd\tNet/add\ta=fp16[1]\tx;x\t\tw=const=da0c"
    honest = record(digits(outline=("x", "a", line)), skipped=())

    assert cleaned(honest) == honest


def test_the_base_branchs_limits_judge() -> None:
    bad = record(model_record(parity=(comparison(max_abs_error=2.0),)))
    strict = parse_config(CONFIG.decode(), "base")

    assert rejudge(strict, bad, None, NO_BASE).exit_code == 1


@pytest.mark.parametrize("value", [1e99, 1e-320, 0.0, -1e99])
def test_extreme_figures_never_crash_the_judge(value: float) -> None:
    tiny = comparison(max_reference=abs(value), max_abs_error=abs(value), psnr=value)
    head = record(model_record(parity=(tiny,), precision=(tiny,), package=package(total_bytes=2**53)))
    base = record(model_record(parity=(tiny,), package=package(total_bytes=0)))

    with suppress(RecordError):
        rejudge(parse_config(CONFIG.decode(), "base"), cleaned(head), base, NO_BASE)


def test_the_pull_request_of_a_fork_is_found_by_its_branch(hub: Hub, client: Client) -> None:
    hub.add_pull(7, HEAD, head_repository=666, labels=[])
    hub.add_pull(8, "f" * 40, head_repository=666, state="closed")

    found = identify(client, source_run(1)).pull
    assert found is not None
    assert (found.number, found.base_ref, found.author) == (7, "main", "alice")


def test_another_fork_of_the_same_owner_is_another_branch(hub: Hub, client: Client) -> None:
    hub.add_pull(7, HEAD, head_repository=667)

    assert identify(client, source_run(1)).reason == "no open pull request has the commit aaaaaaa"


def test_of_several_none_is_chosen(hub: Hub, client: Client) -> None:
    hub.add_pull(7, HEAD, head_repository=666)
    hub.add_pull(9, HEAD, head_repository=666)

    reason = "2 open pull requests have the commit aaaaaaa: 7, 9; close all but one"
    assert identify(client, source_run(1)) == Identified(None, reason)


@pytest.mark.parametrize(
    ("pull", "run", "reason"),
    [
        ({"state": "closed"}, {}, "no open pull request has the commit aaaaaaa"),
        ({"sha": "f" * 40}, {}, "pull request 7 has a newer commit fffffff"),
        ({}, {"head_branch": "other"}, "no open pull request has the commit aaaaaaa"),
        ({}, {"head_repository": None}, "the repository of commit aaaaaaa was deleted"),
    ],
    ids=["closed", "newer commit", "other branch", "deleted fork"],
)
def test_any_other_pull_request_gets_no_comment(
    hub: Hub, client: Client, pull: dict[str, Any], run: dict[str, Any], reason: str
) -> None:
    sha = pull.pop("sha", HEAD)
    hub.add_pull(7, sha, head_repository=666, **pull)

    assert identify(client, replace(source_run(1), **run)) == Identified(None, reason)


def test_the_configuration_is_read_where_it_is_looked_for(hub: Hub, client: Client) -> None:
    hub.files["main", "pyproject.toml"] = b"[tool.coreml-gate]\n" + CONFIG.replace(
        b"[[", b"[[tool.coreml-gate."
    )
    assert read_config(client, "main", None).model[0].name == "digits"

    hub.files["main", "coreml-gate.toml"] = CONFIG.replace(b"digits", b"faces")
    assert read_config(client, "main", None).model[0].name == "faces"

    hub.files["main", "app/gate.toml"] = CONFIG.replace(b"digits", b"ears")
    assert read_config(client, "main", "app/gate.toml").model[0].name == "ears"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there is no configuration at main: looked for coreml-gate.toml and pyproject.toml"),
        ({"coreml-gate.toml": b"x = " + b"[" * 5_000}, "is nested more than 32 levels deep"),
        ({"coreml-gate.toml": b"\xff\xfe"}, "is not text"),
        ({"coreml-gate.toml": b"#" * 600_000}, "has 600,000 bytes, allowed 524,288"),
        ({"pyproject.toml": b"[project]\nname = 'x'\n"}, "there is no configuration at main"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_an_error_of_ours(
    hub: Hub, client: Client, files: dict[str, bytes], message: str
) -> None:
    hub.files.update({("main", name): data for name, data in files.items()})

    with pytest.raises(ConfigError, match=message):
        read_config(client, "main", None)


def test_statements_are_the_description_and_the_comments_of_others(hub: Hub, client: Client) -> None:
    hub.add_pull(7, HEAD, body="description")
    hub.add_comment(7, "comment", "bob")
    hub.add_comment(7, "ours")

    found = statements(client, read_pull(client, 7), "github-actions[bot]")
    assert [(each.author, each.text) for each in found] == [("alice", "description"), ("bob", "comment")]


def test_authors_whose_account_was_deleted_are_ghosts(hub: Hub, client: Client) -> None:
    hub.add_pull(7, HEAD, head_repository=666, labels=[], body="description", user=hub.user(GHOST))
    hub.add_comment(7, "comment", GHOST)

    pull = identify(client, source_run(1)).pull
    assert pull is not None
    found = statements(client, pull, "github-actions[bot]")
    assert [(each.author, each.text) for each in found] == [(GHOST, "description"), (GHOST, "comment")]


@pytest.mark.parametrize(
    ("permission", "may"), [("admin", True), ("write", True), ("read", False), (None, False)]
)
def test_only_writers_may(hub: Hub, client: Client, permission: str | None, may: bool) -> None:
    if permission is not None:
        hub.permissions["alice"] = permission

    assert may_write(client, "alice") is may
