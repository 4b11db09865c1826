"""The fake is as unkind as GitHub where a kinder one would hide a defect; and the gate holds out."""

import pytest

from coreml_gate.github.api.client import Client
from coreml_gate.github.judging.untrusted_run import ended_early
from tests.github_api.hub import Hub
from tests.github_side.stored import HEAD


def test_a_commit_of_a_fork_has_no_pull_requests(hub: Hub, client: Client) -> None:
    """HypothesisWorks/hypothesis#4840, TooTallNate/nx.js#410, learningequality/kolibri#14719."""
    hub.add_pull(7, HEAD, head_repository=666)
    hub.add_pull(8, "c" * 40)

    assert list(client.repository.get_commit(HEAD).get_pulls()) == []
    assert [pull.number for pull in client.repository.get_commit("c" * 40).get_pulls()] == [8]
    assert [pull.number for pull in client.repository.get_pulls(head="mallory:feature")] == [7]


@pytest.mark.parametrize(
    ("conclusion", "merges"),
    [("success", True), ("neutral", True), ("skipped", True), ("failure", False), ("cancelled", False)],
)
def test_a_neutral_conclusion_satisfies_a_required_check(
    hub: Hub, client: Client, conclusion: str, merges: bool
) -> None:
    """palantir/bulldozer 1.12.0."""
    client.repository.create_check_run("coreml-gate", HEAD, status="completed", conclusion=conclusion)

    assert hub.satisfies_protection(HEAD) is merges


def test_a_job_that_ran_out_of_time_is_called_cancelled(hub: Hub, client: Client) -> None:
    """paiml/aprender#3293."""
    run = hub.add_run(HEAD, "pull_request")
    hub.add_job(run, "cancelled", "The job has exceeded the maximum execution time of 30m0s")
    other = hub.add_run(HEAD, "pull_request")
    hub.add_job(other, "cancelled", "The operation was canceled.")
    third = hub.add_run(HEAD, "pull_request")
    hub.add_job(third, "success")

    assert [job.conclusion for job in client.repository.get_workflow_run(run).jobs()] == ["cancelled"]
    assert [ended_early(client, each) for each in (run, other, third)] == ["timed_out", "cancelled", None]
