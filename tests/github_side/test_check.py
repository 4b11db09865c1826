"""A check that is begun at once and always concluded, as a check run and as a commit status."""

from datetime import UTC, datetime

import pytest

from coreml_gate.errors import SourceError, TokenError
from coreml_gate.github.api.client import Client
from coreml_gate.github.judging.no_verdict import unfinished
from coreml_gate.github.publishing.annotations import Annotation
from coreml_gate.github.publishing.status.check_run import CheckRun
from coreml_gate.github.publishing.status.commit_status import CommitStatus
from coreml_gate.github.publishing.status.outcome import CheckOutcome, concluded, outcome_of
from coreml_gate.github.without_install import RunStamp
from coreml_gate.report import ReportOptions
from tests.github_api.faults import NOT_ACCESSIBLE, Fault
from tests.github_api.hub import Hub
from tests.github_api.server import GitHubServer
from tests.report.verdicts import SITUATIONS

HEAD = "a" * 40
DONE = CheckOutcome("success", "all 3 models may merge", "summary")


def check_run(
    client: Client, key: str = "default", run: int = 9, attempt: int = 1, *, keeps_failures: bool = True
) -> CheckRun:
    return CheckRun(
        client,
        "coreml-gate",
        RunStamp(HEAD, run, attempt),
        key,
        "https://github.com/acme/models/actions/runs/9",
        lambda: datetime.now(UTC),
        keeps_failures,
    )


def commit_status(client: Client, run: int) -> CommitStatus:
    return CommitStatus(client, "coreml-gate", HEAD, f"https://github.com/acme/models/actions/runs/{run}")


def only_run(hub: Hub) -> dict[str, object]:
    (run,) = hub.check_runs.values()
    return dict(run)


def test_it_is_in_progress_first_and_concluded_by_another_process(hub: Hub, client: Client) -> None:
    url = check_run(client).begin()
    assert (only_run(hub)["status"], only_run(hub)["conclusion"]) == ("in_progress", None)

    assert check_run(client).conclude(DONE) == url
    run = only_run(hub)
    assert (run["status"], run["conclusion"], run["name"]) == ("completed", "success", "coreml-gate")
    assert run["output"]["title"] == "all 3 models may merge"  # type: ignore[index]


def test_beginning_twice_opens_one_and_a_re_run_opens_another(hub: Hub, client: Client) -> None:
    check_run(client).begin()
    check_run(client).begin()
    assert len(hub.check_runs) == 1

    check_run(client).conclude(DONE)
    check_run(client).begin()
    assert [run["status"] for run in hub.check_runs.values()] == ["completed", "in_progress"]


def test_a_conclusion_without_a_beginning_makes_one(hub: Hub, client: Client) -> None:
    check_run(client).conclude(DONE)

    assert only_run(hub)["conclusion"] == "success"


def test_a_check_run_of_another_app_or_key_is_left_alone(hub: Hub, client: Client) -> None:
    check_run(client, "ios-app").begin()
    check_run(client).conclude(DONE)

    assert [run["status"] for run in hub.check_runs.values()] == ["in_progress", "completed"]


def test_gates_that_share_a_name_find_their_own(hub: Hub, client: Client) -> None:
    """By default GitHub lists only the last check run of a name (lewagon/wait-on-check-action#156)."""
    for key in ("vision", "speech", "vision", "speech"):
        check_run(client, key).begin()
    check_run(client, "vision").conclude(DONE)

    assert [run["status"] for run in hub.check_runs.values()] == ["completed", "in_progress"]


def test_an_older_run_leaves_the_check_of_a_newer_one_alone(hub: Hub, client: Client) -> None:
    check_run(client, run=9).begin()
    check_run(client, run=10).begin()
    check_run(client, run=10).conclude(DONE)
    check_run(client, run=9).conclude(CheckOutcome("failure", "an old verdict", "summary"))

    older, newer = hub.check_runs.values()
    assert (older["conclusion"], newer["conclusion"]) == ("failure", "success")
    assert hub.satisfies_protection(HEAD)


def test_a_run_that_died_is_superseded_by_the_next_one(hub: Hub, client: Client) -> None:
    check_run(client, run=9).begin()
    check_run(client, run=10).begin()

    died, begun = hub.check_runs.values()
    assert (died["conclusion"], died["output"]["title"]) == ("cancelled", "superseded by run 10")
    assert begun["status"] == "in_progress"


def test_an_older_run_that_opened_none_creates_none_beside_a_newer_one(hub: Hub, client: Client) -> None:
    check_run(client, run=10).conclude(DONE)

    assert check_run(client, run=9).conclude(CheckOutcome("failure", "an old verdict", "summary")) == ""
    assert only_run(hub)["conclusion"] == "success"


REFUSED = CheckOutcome("failure", "1 of 3 models must not merge", "summary")


@pytest.mark.parametrize("begun_late", [False, True])
def test_a_failure_of_another_job_of_the_matrix_stays(hub: Hub, client: Client, begun_late: bool) -> None:
    """Jobs of a matrix without keys of their own share the check; they end in any order."""
    first, second = check_run(client), check_run(client)
    first.begin()
    if not begun_late:
        second.begin()
    first.conclude(REFUSED)
    if begun_late:
        second.begin()
    second.conclude(DONE)

    assert only_run(hub)["conclusion"] == "failure"
    assert not hub.satisfies_protection(HEAD)


def test_another_attempt_and_another_report_may_pass_after_a_failure(hub: Hub, client: Client) -> None:
    for again in (
        check_run(client, attempt=2),  # one job of the run again, without the one that opened the check
        check_run(client, keeps_failures=False),  # a workflow that only reports, again
    ):
        hub.check_runs.clear()
        check_run(client).begin()
        check_run(client).conclude(REFUSED)
        again.conclude(DONE)
        assert only_run(hub)["conclusion"] == "success"


def test_a_lost_answer_opens_no_second_one(hub: Hub, server: GitHubServer, client: Client) -> None:
    server.faults.append(Fault("POST", "/check-runs", 502, kind="done-but"))
    check_run(client).begin()

    assert len(hub.check_runs) == 1


def test_a_server_error_does_not_keep_it_open(hub: Hub, server: GitHubServer, client: Client) -> None:
    check_run(client).begin()
    server.faults.append(Fault("PATCH", "/check-runs/", 503))
    check_run(client).conclude(DONE)

    assert only_run(hub)["conclusion"] == "success"


@pytest.mark.parametrize(
    ("error", "conclusion", "summary"),
    [
        (SourceError("`build` raised.", "look at it."), "failure", "`build` raised.\n\nHint: look at it."),
        (ZeroDivisionError("secret"), "failure", "ZeroDivisionError in coreml-gate itself."),
        (KeyboardInterrupt(), "cancelled", "was cancelled"),
    ],
)
def test_whatever_ends_the_block_concludes_the_check(
    hub: Hub, client: Client, error: BaseException, conclusion: str, summary: str
) -> None:
    with pytest.raises(type(error)), concluded(check_run(client)):
        raise error

    run = only_run(hub)
    assert run["conclusion"] == conclusion
    assert summary in run["output"]["summary"]  # type: ignore[index]
    assert "secret" not in str(run)


def test_a_block_without_an_outcome_is_a_failure(hub: Hub, client: Client) -> None:
    with concluded(check_run(client)):
        pass

    assert only_run(hub)["conclusion"] == "failure"


def test_annotations_go_in_chunks_that_github_takes(hub: Hub, server: GitHubServer, client: Client) -> None:
    many = tuple(
        Annotation("error", "models/net.py", line, "digits: parity", "0.3") for line in range(1, 121)
    )
    unlocated = Annotation("warning", "", 1, "digits: size", "4 MB")
    check_run(client).conclude(CheckOutcome("failure", "title", "summary", (*many, unlocated)))

    (annotations,) = hub.annotations.values()
    assert [each["start_line"] for each in annotations] == list(range(1, 121))
    assert server.asked("PATCH", "/check-runs/") == 3
    assert only_run(hub)["conclusion"] == "failure"


@pytest.mark.parametrize(
    ("situation", "conclusion"),
    [
        ("pass", "success"),
        ("regression", "failure"),
        ("unsure", "neutral"),
        ("nothing", "neutral"),
        ("source-error", "failure"),
        ("sixty-models", "failure"),
        ("hostile", "failure"),
    ],
)
def test_every_verdict_has_its_conclusion_and_fits(
    hub: Hub, client: Client, situation: str, conclusion: str
) -> None:
    check_run(client).conclude(outcome_of(SITUATIONS[situation](), ReportOptions()))

    assert only_run(hub)["conclusion"] == conclusion


def test_without_permission_the_line_to_add_is_named(server: GitHubServer, client: Client) -> None:
    server.faults.append(Fault("POST", "/check-runs", 403, NOT_ACCESSIBLE))

    with pytest.raises(TokenError) as caught:
        check_run(client).begin()
    assert "`checks: write`" in caught.value.hint


def test_a_commit_status_says_the_same_in_one_line(hub: Hub, client: Client) -> None:
    status = commit_status(client, 9)
    status.begin()
    status.conclude(outcome_of(SITUATIONS["unsure"](), ReportOptions()))
    status.conclude(outcome_of(SITUATIONS["regression"](), ReportOptions()))
    status.conclude(outcome_of(unfinished("timed_out"), ReportOptions()))

    assert [each["state"] for each in hub.statuses] == ["pending", "success", "failure", "error"]
    assert hub.statuses[1]["description"].startswith("unsure: both models may merge")
    assert all(len(each["description"]) <= 140 and each["sha"] == HEAD for each in hub.statuses)


def test_the_status_of_a_newer_run_stays(hub: Hub, client: Client) -> None:
    commit_status(client, 10).conclude(DONE)
    commit_status(client, 9).conclude(CheckOutcome("failure", "an old verdict", "summary"))

    assert [each["state"] for each in hub.statuses] == ["success"]


def test_the_status_is_found_among_those_of_many_others(hub: Hub, client: Client) -> None:
    """A page of the combined status has 30 contexts (Mergifyio/mergify#288)."""
    for number in range(120):
        client.repository.get_commit(HEAD).create_status("success", context=f"bot {number}")
    commit_status(client, 10).conclude(DONE)
    commit_status(client, 9).conclude(CheckOutcome("failure", "an old verdict", "summary"))

    ours = [each["state"] for each in hub.statuses if each["context"] == "coreml-gate"]
    assert ours == ["success"]
