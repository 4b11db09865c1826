"""The first and the last step of the action, which run before and without any installation."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.github.without_install import RunStamp, comment_marker, no_verdict_body
from coreml_gate.report.markdown import marker
from tests.github_api.faults import NOT_ACCESSIBLE, SECONDARY, Fault
from tests.github_api.hub import GHOST, Hub
from tests.github_api.server import TOKEN, GitHubServer
from tests.github_side.stored import HEAD
from tests.github_side.workflow import FORK, MERGE_GROUP, PUSH, pull_request, workflow_run

SCRIPT = Path(__file__).parents[2] / "action" / "check.py"
NEW_EVENT = {"pull_request": pull_request(), "merge_group": MERGE_GROUP, "push": PUSH}
INPUTS = {
    "MODE": "auto",
    "KEY": "default",
    "CHECK": "check-run",
    "CHECK_NAME": "coreml-gate",
    "COMMENT": "always",
    "COMMENT_AUTHOR": "github-actions[bot]",
    "JOB_STATUS": "failure",
    "VERDICT": "",
    "STARTED": "",
    "TIMEOUT_MINUTES": "",
    "OUTCOMES": "Python success\nInstall failure\nReport skipped\n",
}
OF_A_PUSH = workflow_run(5, "requested", None)
OF_A_PUSH["workflow_run"]["event"] = "push"
Step = Callable[..., dict[str, str]]


@pytest.fixture
def step(tmp_path: Path, environment: dict[str, str]) -> Step:
    """Runs the script as a step does, and gives its outputs."""

    def run(what: str, event: str = "pull_request", payload: Any = None, **inputs: str) -> dict[str, str]:
        (tmp_path / "event.json").write_text(json.dumps(payload or NEW_EVENT[event]))
        (tmp_path / "output").write_text("")
        variables = {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_RUN_ID": "99",
            "PATH": os.environ["PATH"],
        }
        command = [sys.executable, "-I", str(SCRIPT), what]
        done = subprocess.run(
            command, env=environment | variables | INPUTS | inputs, capture_output=True, text=True, check=True
        )
        assert TOKEN not in done.stdout
        outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
        return {**outputs, "log": done.stdout}

    return run


def checks(hub: Hub) -> list[tuple[str, str | None]]:
    return [(run["status"], run["conclusion"]) for run in hub.check_runs.values()]


@pytest.mark.parametrize(
    ("event", "payload", "mode", "opened", "needed"),
    [
        ("pull_request", pull_request(), "auto", 1, "true"),
        ("pull_request", pull_request(), "open", 1, "false"),
        ("pull_request", pull_request(), "collect", 1, "true"),
        ("pull_request", pull_request(), "report", 0, "true"),
        ("pull_request", pull_request(FORK), "auto", 0, "true"),
        ("pull_request", pull_request(FORK), "open", 0, "false"),
        ("merge_group", MERGE_GROUP, "auto", 1, "true"),
        ("push", PUSH, "auto", 0, "true"),
        ("push", PUSH, "open", 0, "false"),
        ("workflow_run", workflow_run(5, "requested", None), "auto", 1, "false"),
        ("workflow_run", workflow_run(5, conclusion="action_required"), "auto", 1, "false"),
        ("workflow_run", workflow_run(5), "auto", 0, "true"),
        ("workflow_run", OF_A_PUSH, "auto", 0, "true"),
    ],
)
def test_the_check_is_opened_where_there_is_one(
    hub: Hub, step: Step, event: str, payload: Any, mode: str, opened: int, needed: str
) -> None:
    outputs = step("open", event, payload, MODE=mode)

    assert checks(hub) == [("in_progress", None)] * opened
    assert (outputs["needed"], bool(outputs["check-url"])) == (needed, bool(opened))
    assert outputs["started"].isdigit()


def test_opened_twice_it_is_one(hub: Hub, step: Step) -> None:
    assert step("open")["check-url"] == step("open", MODE="collect")["check-url"]
    assert len(hub.check_runs) == 1


def test_beside_a_failure_of_this_attempt_none_is_opened_and_the_next_attempt_opens_one(
    hub: Hub, step: Step
) -> None:
    step("open")
    step("conclude")
    assert step("open")["check-url"]
    assert checks(hub) == [("completed", "failure")]
    step("open", GITHUB_RUN_ATTEMPT="2")
    assert checks(hub) == [("completed", "failure"), ("in_progress", None)]


def test_gates_that_share_a_name_open_one_each(hub: Hub, step: Step) -> None:
    for key in ("vision", "speech", "vision"):
        step("open", KEY=key)
    step("conclude", KEY="vision")

    assert checks(hub) == [("completed", "failure"), ("in_progress", None)]


def test_without_permission_the_job_goes_on(server: GitHubServer, step: Step) -> None:
    server.faults.append(Fault("POST", "/check-runs", 403, NOT_ACCESSIBLE))
    outputs = step("open")

    assert outputs["needed"] == "true"
    assert "::warning title=coreml-gate::GitHub answered 403: the check is opened later" in outputs["log"]


@pytest.mark.parametrize("status", [403, 429])
def test_a_short_rate_limit_is_waited_for_and_a_long_one_is_not(
    hub: Hub, server: GitHubServer, step: Step, status: int
) -> None:
    server.faults.append(Fault("POST", "/check-runs", status, SECONDARY, {"Retry-After": "1"}))
    step("open")
    server.faults.append(Fault("PATCH", "/check-runs/", status, SECONDARY, {"Retry-After": "3600"}, times=9))
    log = step("conclude")["log"]

    assert checks(hub) == [("in_progress", None)]
    assert server.asked("PATCH", "/check-runs/") == 1
    assert f"GitHub answered {status}: the check stays open" in log


@pytest.mark.parametrize(
    ("status", "minutes", "conclusion", "words"),
    [
        ("failure", "", "failure", "The step `Install` failed before there was a result."),
        ("cancelled", "30", "timed_out", "The job ran out of its 30 min"),
        ("cancelled", "60", "cancelled", "The job was cancelled before there was a result."),
    ],
)
def test_a_job_that_ended_early_concludes_the_check(
    hub: Hub, step: Step, status: str, minutes: str, conclusion: str, words: str
) -> None:
    started = int(step("open")["started"]) - 31 * 60
    step("conclude", JOB_STATUS=status, STARTED=str(started), TIMEOUT_MINUTES=minutes)

    (run,) = hub.check_runs.values()
    assert (run["status"], run["conclusion"]) == ("completed", conclusion)
    assert words in run["output"]["summary"]
    assert "https://github.com/acme/models/actions/runs/99" in run["output"]["summary"]
    assert not hub.satisfies_protection(HEAD)


def test_what_the_report_concluded_stays(hub: Hub, step: Step) -> None:
    step("open")
    step("conclude", VERDICT="none")
    assert checks(hub) == [("in_progress", None)]

    hub.check_runs[next(iter(hub.check_runs))].update(status="completed", conclusion="success")
    step("conclude")
    assert checks(hub) == [("completed", "success")]


def test_a_report_that_failed_after_it_had_concluded_keeps_its_comment(hub: Hub, step: Step) -> None:
    hub.add_pull(7, HEAD)
    body = f"{comment_marker('default')}\n### all may merge\n{RunStamp(HEAD, 99, 1)}\n"
    hub.add_comment(7, body)
    step("open")
    hub.check_runs[next(iter(hub.check_runs))].update(status="completed", conclusion="success")
    step("conclude")

    assert [comment["body"] for _, comment in hub.comments.values()] == [body]


@pytest.mark.parametrize("mode", ["collect", "open"])
def test_a_job_that_does_not_report_leaves_the_check_to_the_one_that_does(
    hub: Hub, step: Step, mode: str
) -> None:
    step("open", MODE=mode)
    step("conclude", MODE=mode)

    assert checks(hub) == [("in_progress", None)]


def test_a_status_is_set_in_its_place_among_those_of_many_others(hub: Hub, step: Step) -> None:
    hub.statuses += [{"sha": HEAD, "context": f"bot {number}", "state": "success"} for number in range(120)]
    step("open", CHECK="status")
    step("conclude", CHECK="status")
    step("conclude", CHECK="status")

    ours = [each for each in hub.statuses if each["context"] == "coreml-gate"]
    assert [each["state"] for each in ours] == ["pending", "failure"]
    assert ours[1]["description"] == "no verdict: the step `Install` failed before there was a result."


def test_the_comment_says_that_there_is_no_verdict(hub: Hub, step: Step) -> None:
    hub.add_pull(7, HEAD)
    old = RunStamp("c" * 40, 98, 1)
    forged = hub.add_comment(7, f"{comment_marker('default')}\n", GHOST)
    hub.add_comment(7, f"{comment_marker('default')}\n### all may merge\n{old}\n")
    step("conclude")

    del hub.comments[forged]
    ((_, comment),) = hub.comments.values()
    assert comment["body"].splitlines()[1] == "### ❔ coreml-gate: no verdict for `aaaaaaa`"
    assert "The step `Install` failed" in comment["body"]
    assert "Outdated: the report of `ccccccc`" in comment["body"]


@pytest.mark.parametrize("newest", [HEAD, "f" * 40])
def test_a_newer_commits_comment_stays(hub: Hub, step: Step, newest: str) -> None:
    hub.add_pull(7, newest)
    body = f"{comment_marker('default')}\n### all may merge\n{RunStamp(HEAD, 100, 1)}\n"
    hub.add_comment(7, body)
    step("conclude")

    assert [comment["body"] for _, comment in hub.comments.values()] == [body]


def test_both_halves_know_the_comment_by_the_same_mark() -> None:
    assert comment_marker("ios-app") == marker("ios-app")


def test_a_long_report_is_not_kept() -> None:
    long = f"{marker('default')}\n{'x' * 60_000}\n{RunStamp('c' * 40, 1, 1)}"
    body = no_verdict_body("default", RunStamp(HEAD, 2, 1), "it crashed.", "https://x", long)

    assert "The report of `ccccccc` is too long to be kept here." in body
    assert len(body) < 1_000


def test_it_runs_on_the_oldest_python_of_a_hosted_image() -> None:
    for path in (SCRIPT, *(SCRIPT.parents[1] / "src/coreml_gate/github").glob("without_install.py")):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
        assert "from __future__ import annotations" in path.read_text(encoding="utf-8")


def test_an_event_that_cannot_be_read_does_not_end_the_job(step: Step) -> None:
    outputs = step("open", "pull_request", {"pull_request": {}})

    assert outputs["needed"] == "true"
    assert "KeyError: the event cannot be read" in outputs["log"]
