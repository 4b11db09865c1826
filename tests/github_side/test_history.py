"""The step ``history``: what earlier pushes stored is merged, whichever ran at the same time."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.github.api.artifacts import history_name
from coreml_gate.github.evidence.history_step import MOST_MERGED
from coreml_gate.history import History, read_history
from coreml_gate.verdict import Verdict
from tests.builders import record
from tests.github_api.faults import NOT_ACCESSIBLE, Fault
from tests.github_api.hub import Hub, zipped
from tests.github_api.server import GitHubServer
from tests.github_side.stored import BASE, digits
from tests.github_side.workflow import PUSH, Job
from tests.history.test_document import entry
from tests.report.verdicts import SITUATIONS

PASSED: Verdict = SITUATIONS["pass"]()


@pytest.fixture
def push(tmp_path: Path, environment: dict[str, str]) -> Callable[[], Job]:
    def made() -> Job:
        job = Job(tmp_path, environment, "push", PUSH)
        job.leave_report(PASSED, record(digits(), commit=BASE, created="2030-01-02T03:04:05+00:00"))
        return job

    return made


def add_history(hub: Hub, *numbers: int, run: Mapping[str, Any] | None = None, **artifact: Any) -> None:
    """A history of these commits, as a push to the base branch stores it."""
    stored = History(entries=tuple(entry(number) for number in numbers))
    run_id = hub.add_run("c" * 40, **(run or {}))
    data = zipped({"history.json": stored.model_dump_json().encode()})
    hub.add_artifact(run_id, history_name("default"), data, **artifact)


def stored_by(job: Job) -> History:
    assert job.run("history") == 0
    return read_history(job.folder / ".coreml-gate" / "history.json")


def commits(history: History) -> list[str]:
    return [each.commit for each in history.entries]


def numbered(*numbers: int) -> list[str]:
    return [f"{number:040x}" for number in numbers]


def test_the_first_push_begins_the_history(push: Callable[[], Job]) -> None:
    (only,) = stored_by(push()).entries
    assert (only.commit, only.committed) == (BASE, "2030-01-02T03:04:05+00:00")
    assert only.models["digits"]["size"] == 20_000_000
    assert only.toolchain["torch"] == "2.13.0"


def test_pushes_that_ran_at_the_same_time_are_all_in_it(hub: Hub, push: Callable[[], Job]) -> None:
    add_history(hub, 1, 2)
    add_history(hub, 1, 2, 3)
    add_history(hub, 1, 2, 4)
    assert commits(stored_by(push())) == [*numbered(1, 2, 3, 4), BASE]


@pytest.mark.parametrize(
    ("run", "artifact"),
    [
        ({"event": "pull_request"}, {}),
        ({"head_repository": 666}, {}),
        ({"path": ".github/workflows/other.yml"}, {}),
        ({}, {"expired": True}),
    ],
)
def test_what_no_push_of_this_workflow_stored_is_left_out(
    hub: Hub, push: Callable[[], Job], run: dict[str, Any], artifact: dict[str, Any]
) -> None:
    add_history(hub, 1)
    add_history(hub, 2, run=run, **artifact)
    assert commits(stored_by(push())) == [*numbered(1), BASE]


def test_a_stored_history_that_cannot_be_read_is_named_and_passed_over(
    hub: Hub, push: Callable[[], Job]
) -> None:
    add_history(hub, 1)
    hub.add_artifact(
        hub.add_run("c" * 40), history_name("default"), zipped({"history.json": b'{"entries": 3}'})
    )
    hub.add_artifact(hub.add_run("c" * 40), history_name("default"), zipped({"evil.sh": b"x"}))
    job = push()
    assert commits(stored_by(job)) == [*numbered(1), BASE]
    assert job.log.getvalue().count("a stored history was skipped") == 2


def test_the_release_is_marked(hub: Hub, push: Callable[[], Job]) -> None:
    add_history(hub, 1)
    hub.release = ("v1.2", f"{1:040x}")
    hub.history = [BASE, f"{1:040x}"]
    assert stored_by(push()).release_of(f"{1:040x}") == "v1.2"


def test_without_permission_it_begins_anew_and_says_so(server: GitHubServer, push: Callable[[], Job]) -> None:
    server.faults.append(Fault("GET", "/artifacts", 403, NOT_ACCESSIBLE))
    job = push()
    assert commits(stored_by(job)) == [BASE]
    assert "The history starts anew" in job.log.getvalue()


def test_no_more_are_read_than_can_hold_something_new(
    hub: Hub, server: GitHubServer, push: Callable[[], Job]
) -> None:
    for number in range(MOST_MERGED + 5):
        add_history(hub, number)
    found = commits(stored_by(push()))
    assert len(found) == MOST_MERGED + 1
    assert len([each for each in server.requests if each.path.endswith("/zip")]) == MOST_MERGED
