"""From the variables and the payload that GitHub gives, to a mode and frozen values."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from coreml_gate.errors import EventError
from coreml_gate.github.api.event import WORK, Mode, RequestedMode, SourceRun, Work, read_event

HEAD, BASE = "a" * 40, "b" * 40
HOME, FORK = {"id": 1, "default_branch": "main"}, {"id": 2, "owner": {"login": "mallory"}}


def pull_request(head_repository: Any = HOME) -> dict[str, Any]:
    return {
        "number": 7,
        "head": {"sha": HEAD, "ref": "feature", "repo": head_repository},
        "base": {"sha": BASE, "ref": "main", "repo": HOME},
    }


def workflow_run(action: str = "completed", **overrides: Any) -> dict[str, Any]:
    run = {
        "id": 55,
        "event": "pull_request",
        "path": ".github/workflows/measure.yml@refs/heads/main",
        "head_sha": HEAD,
        "head_branch": "main",
        "head_repository": FORK,
        "conclusion": "failure",
    }
    return {"action": action, "workflow_run": run | overrides, "repository": HOME}


def push(branch: str = "main", after: str = HEAD) -> dict[str, Any]:
    return {"ref": f"refs/heads/{branch}", "after": after, "repository": HOME}


MERGE_GROUP = {"merge_group": {"head_sha": HEAD, "base_sha": BASE, "base_ref": "refs/heads/main"}}


class Desk:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "event.json"

    def environment(self, name: str, payload: Any) -> dict[str, str]:
        self.file.write_text(payload if isinstance(payload, str) else json.dumps(payload))
        return {
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(self.file),
            "GITHUB_REPOSITORY": "acme/models",
            "GITHUB_SHA": HEAD,
            "GITHUB_REF_NAME": "main",
            "GITHUB_RUN_ID": "99",
            "GITHUB_WORKFLOW_REF": "acme/models/.github/workflows/gate.yml@refs/pull/7/merge",
        }


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("name", "payload", "mode"),
    [
        ("push", push(), Mode.BASELINE),
        ("schedule", {"repository": HOME}, Mode.BASELINE),
        ("pull_request", {"pull_request": pull_request()}, Mode.COMPARE),
        ("merge_group", MERGE_GROUP, Mode.JUDGE),
        ("workflow_run", workflow_run("requested"), Mode.ANNOUNCE),
        ("workflow_run", workflow_run("completed", conclusion="action_required"), Mode.ANNOUNCE),
        ("workflow_run", workflow_run("completed"), Mode.REPORT),
    ],
)
def test_every_event_has_its_mode(desk: Desk, name: str, payload: Any, mode: Mode) -> None:
    event = read_event(desk.environment(name, payload))

    assert event.mode is mode
    assert event.head_sha == HEAD
    assert event.workflow_path == ".github/workflows/gate.yml"
    assert event.run_url == "https://github.com/acme/models/actions/runs/99"


@pytest.mark.parametrize(
    ("name", "payload", "requested", "mode"),
    [
        ("push", push("release"), "baseline", Mode.BASELINE),
        ("push", push(), "collect", Mode.BASELINE),
        ("pull_request", {"pull_request": pull_request()}, "collect", Mode.COLLECT),
        ("pull_request", {"pull_request": pull_request()}, "report", Mode.GATHER),
        ("merge_group", MERGE_GROUP, "report", Mode.GATHER),
        ("workflow_run", workflow_run("requested"), "report", Mode.ANNOUNCE),
    ],
)
def test_a_workflow_may_ask_for_a_part(
    desk: Desk, name: str, payload: Any, requested: RequestedMode, mode: Mode
) -> None:
    assert read_event(desk.environment(name, payload), requested=requested).mode is mode


@pytest.mark.parametrize(
    ("name", "payload", "requested"),
    [("push", push(), "report"), ("pull_request", {"pull_request": pull_request()}, "baseline")],
)
def test_a_part_that_the_event_does_not_have_is_refused(
    desk: Desk, name: str, payload: Any, requested: RequestedMode
) -> None:
    with pytest.raises(EventError, match=f"mode `{requested}` does not fit the event `{name}`"):
        read_event(desk.environment(name, payload), requested=requested)


def test_no_word_of_the_work_is_a_part_of_another() -> None:
    words = set(get_args(Work))

    assert {word for works in WORK.values() for word in works} == words
    assert not [(one, other) for one in words for other in words if one != other and one in other]
    assert set(WORK) == set(Mode)


@pytest.mark.parametrize(("head_repository", "fork"), [(HOME, False), (FORK, True), (None, True)])
def test_a_pull_request_from_elsewhere_is_a_fork(desk: Desk, head_repository: Any, fork: bool) -> None:
    payload = {"pull_request": pull_request(head_repository)}
    event = read_event(desk.environment("pull_request", payload))

    assert (event.fork, event.pull_request, event.base_sha, event.base_ref) == (fork, 7, BASE, "main")


def test_a_workflow_run_names_the_run_to_report_on(desk: Desk) -> None:
    event = read_event(desk.environment("workflow_run", workflow_run()))

    path = ".github/workflows/measure.yml"
    assert event.source_run == SourceRun(55, "pull_request", path, HEAD, "main", "mallory", 2, "failure")
    assert event.fork


def test_other_base_branches_can_be_named(desk: Desk) -> None:
    environment = desk.environment("push", push("release/2"))

    assert read_event(environment, ("main", "release/2")).mode is Mode.BASELINE
    with pytest.raises(EventError, match="a push to `release/2` stores no baseline; only `main` does"):
        read_event(environment)


@pytest.mark.parametrize(
    ("name", "payload", "message"),
    [
        ("", {}, "GITHUB_EVENT_NAME is not set"),
        ("pull_request_target", {}, "does not support `pull_request_target`"),
        ("workflow_run", workflow_run(event="pull_request_target"), "ran under `pull_request_target`"),
        ("workflow_run", workflow_run(event="push"), "which has no pull request"),
        ("issue_comment", {}, "does not support the event `issue_comment`"),
        ("push", push(after="0" * 40), "the push deleted `main`"),
        ("push", push(after="$(rm -rf /)"), "is not the full hash of a commit"),
        ("pull_request", {}, "lacks what the gate needs: 'pull_request'"),
        ("pull_request", "{", "cannot be read"),
        ("pull_request", "[]", "lacks what the gate needs"),
    ],
)
def test_anything_else_is_refused_with_the_way_out(desk: Desk, name: str, payload: Any, message: str) -> None:
    with pytest.raises(EventError, match=message.replace("$(", r"\$\(").replace(")", r"\)")) as caught:
        read_event(desk.environment(name, payload))
    assert caught.value.hint
    assert caught.value.exit_code == 20


@pytest.mark.parametrize(
    ("head_ref", "number"),
    [
        (f"refs/heads/gh-readonly-queue/main/pr-104-{BASE}", 104),
        (f"refs/heads/gh-readonly-queue/release/1.0/pr-9-{BASE}", 9),
        ("refs/heads/main", None),
        (f"refs/heads/pr-9-{BASE}", None),
        ("", None),
    ],
)
def test_the_pull_request_in_a_merge_queue_is_known_by_the_branch(
    desk: Desk, head_ref: str, number: int | None
) -> None:
    group = MERGE_GROUP["merge_group"] | {"head_ref": head_ref}
    assert read_event(desk.environment("merge_group", {"merge_group": group})).queued == number
