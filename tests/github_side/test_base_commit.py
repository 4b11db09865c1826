"""The commit that a pull request is compared with, in real repositories as actions/checkout leaves them."""

from dataclasses import replace

import pytest

from coreml_gate.github.api.event import Event, Mode
from coreml_gate.github.evidence.base_commit import base_commit, checked_out
from coreml_gate.github.without_install import RunStamp
from tests.gate.conftest import Folder, environ, folder  # noqa: F401 - fixtures


class PullRequest:
    """A base branch that moved on after the event, and a head that left it before."""

    def __init__(self, folder: Folder) -> None:  # noqa: F811
        self.folder = folder
        self.at_event = folder.commit({"net.py": "1", "README.md": "1"})
        folder.git("checkout", "--quiet", "-b", "topic")
        self.head = folder.commit({"README.md": "2"})
        folder.git("checkout", "--quiet", "main")
        self.moved_on = folder.commit({"net.py": "2"})
        folder.git("update-ref", "refs/remotes/origin/main", self.moved_on)

    def check_out_merge(self) -> None:
        """``refs/pull/N/merge``: the head merged into the base branch as it is now."""
        self.folder.git("merge", "--quiet", "--no-ff", "-m", "Merge", "topic")

    def event(self) -> Event:
        return Event(
            name="pull_request",
            mode=Mode.COMPARE,
            repository="acme/models",
            head_sha=self.head,
            base_sha=self.at_event,
            base_ref="main",
            pull_request=7,
            fork=False,
            run_url="",
            workflow_path="",
            stamp=RunStamp(self.head, 9, 1),
        )


@pytest.fixture
def pull(folder: Folder) -> PullRequest:  # noqa: F811
    return PullRequest(folder)


def test_of_githubs_merge_commit_it_is_the_first_parent(pull: PullRequest) -> None:
    pull.check_out_merge()

    assert base_commit(pull.folder.repository, pull.event()) == pull.moved_on


def test_nothing_that_others_merged_counts_as_changed(pull: PullRequest) -> None:
    pull.check_out_merge()
    base = base_commit(pull.folder.repository, pull.event())

    assert base is not None
    assert pull.folder.repository.changed_files(base, "HEAD") == {"README.md"}


def test_of_a_merge_of_something_else_it_is_where_the_head_left_the_base(pull: PullRequest) -> None:
    pull.check_out_merge()
    event = replace(pull.event(), head_sha="e" * 40)

    assert base_commit(pull.folder.repository, event) == pull.moved_on


def test_of_the_head_itself_it_is_where_it_left_the_base(pull: PullRequest) -> None:
    pull.folder.git("checkout", "--quiet", "topic")

    assert base_commit(pull.folder.repository, pull.event()) == pull.at_event


def test_of_a_head_that_took_the_newest_base_it_is_that_one(pull: PullRequest) -> None:
    pull.folder.git("checkout", "--quiet", "topic")
    pull.folder.git("merge", "--quiet", "--no-ff", "-m", "Take main", "main")
    event = replace(pull.event(), head_sha=pull.folder.repository.commit("HEAD"))

    assert base_commit(pull.folder.repository, event) == pull.moved_on


def test_of_a_merge_queue_it_is_the_queues_own(pull: PullRequest) -> None:
    pull.check_out_merge()
    ahead = pull.folder.repository.commit("HEAD")
    candidate = pull.folder.commit({"README.md": "3"})
    event = replace(pull.event(), mode=Mode.JUDGE, head_sha=candidate, base_sha=ahead)

    assert base_commit(pull.folder.repository, event) == ahead


def test_without_a_checkout_the_event_is_all_there_is(pull: PullRequest) -> None:
    assert base_commit(None, pull.event()) == pull.at_event
    assert base_commit(None, replace(pull.event(), base_sha=None)) is None


def test_without_a_repository_nothing_is_checked_out(pull: PullRequest) -> None:
    assert checked_out(pull.folder.root.parent, pull.folder.environ) is None
    assert checked_out(pull.folder.root, pull.folder.environ) is not None
