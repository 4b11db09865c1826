"""The one comment on a pull request, found by its marker and author, and updated in place.

Only one job of a workflow comments, from the Records of the others, so that jobs do not overwrite each other.
A marker alone proves nothing, because anyone can write one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from github.IssueComment import IssueComment
from github.PullRequestComment import PullRequestComment

from coreml_gate.errors import GitHubError
from coreml_gate.github.api.client import Client, create_once, requesting
from coreml_gate.github.api.pull_request import login_of
from coreml_gate.github.judging.no_verdict import NoVerdict
from coreml_gate.github.without_install import RunStamp, stamp_in
from coreml_gate.report.markdown import marker
from coreml_gate.verdict import Finding, Status, Verdict
from coreml_gate.wording import short

PERMISSION: Final = "pull-requests: write"
_QUIET: Final = (Status.PASS, Status.SKIPPED)


class CommentMode(StrEnum):
    """When to begin a comment; unless ``off``, an existing comment is kept up to date."""

    ALWAYS = "always"
    CHANGES = "changes"
    """When a figure or a status differs from the baseline's."""
    FAILURES = "failures"
    """If something blocks."""
    OFF = "off"


@dataclass(frozen=True)
class Posted:
    """What happened to the comment."""

    action: Literal["created", "updated", "unchanged", "none"]
    id: int | None = None
    url: str = ""
    notice: str = ""
    """A notice for the workflow's author."""


def is_wanted(mode: CommentMode, judged: Verdict | NoVerdict) -> bool:
    """Whether to begin a comment; a cancellation alone is no reason."""
    if isinstance(judged, NoVerdict):
        return mode is not CommentMode.OFF and judged.conclusion != "cancelled"
    match mode:
        case CommentMode.ALWAYS:
            return True
        case CommentMode.CHANGES:
            return has_changes(judged)
        case CommentMode.FAILURES:
            return judged.exit_code != 0
        case CommentMode.OFF:
            return False


def has_changes(verdict: Verdict) -> bool:
    """Whether anything differs from the baseline or does not pass."""
    findings = [*verdict.findings, *(finding for _, finding in verdict.of_models)]
    return verdict.exit_code != 0 or any(_is_change(finding) for finding in findings)


@dataclass(frozen=True)
class Thread:
    """The pull request, key and author of a comment."""

    client: Client
    pull_request: int
    key: str
    author: str


def post(thread: Thread, stamp: RunStamp, body_after: Callable[[str], str], *, wanted: bool) -> Posted:
    """Writes the comment of a key on a pull request, or brings the one that is there up to date.

    ``body_after`` makes the body from the one that is there, or from nothing. Without ``wanted`` none is
    begun. What a later run of the same commit said stays. More than one of our own, which two runs at once
    can leave, become one.
    """
    own = find_own(thread)
    for superfluous in own[1:]:
        delete(superfluous)
    if not own:
        return _create(thread, body_after("")) if wanted else Posted("none")
    if stamp.is_older_than(stamp_in(own[0].body)):
        notice = f"the comment was not changed: a later run of {short(stamp.head_sha)} wrote it."
        return Posted("unchanged", own[0].id, own[0].html_url, notice)
    return _update(thread, own[0], body_after(own[0].body))


def find_own(thread: Thread) -> list[IssueComment]:
    """All comments on all pages that start with the marker and are by the author, oldest first."""
    start = marker(thread.key)
    with requesting(f"comments of pull request {thread.pull_request}", "pull-requests: read"):
        comments = thread.client.repository.get_issue(thread.pull_request).get_comments()
        begun = [each for each in comments if each.body.startswith(start)]
        return [each for each in begun if login_of(each.user) == thread.author]


def _create(thread: Thread, body: str) -> Posted:
    def create() -> IssueComment:
        with requesting(f"a comment on pull request {thread.pull_request}", PERMISSION):
            return thread.client.repository.get_issue(thread.pull_request).create_comment(body)

    comment = create_once(create, lambda: next(iter(find_own(thread)), None))
    return Posted("created", comment.id, comment.html_url, _notice(login_of(comment.user), thread.author))


def _update(thread: Thread, comment: IssueComment, body: str) -> Posted:
    if is_same(comment.body, body):
        return Posted("unchanged", comment.id, comment.html_url)
    try:
        with requesting(f"comment {comment.id} on pull request {thread.pull_request}", PERMISSION):
            comment.edit(body)
    except GitHubError as error:
        if not error.is_missing:
            raise
        return _create(thread, body)
    return Posted("updated", comment.id, comment.html_url)


def delete(comment: IssueComment | PullRequestComment) -> None:
    """Delete a comment, unless another run already has."""
    try:
        with requesting(f"comment {comment.id}", PERMISSION):
            comment.delete()
    except GitHubError as error:
        if not error.is_missing:
            raise


def is_same(stored: str, body: str) -> bool:
    """Whether GitHub would store the same text; it drops carriage returns and trailing space."""
    return _normal(stored) == _normal(body)


def _normal(body: str) -> str:
    return body.replace("\r\n", "\n").strip()


def _notice(actual: str, expected: str) -> str:
    if actual == expected:
        return ""
    return (
        f"the comment was written by `{actual}`, not by `{expected}`: pass `--author {actual}`, or the next "
        "run will not find it again."
    )


def _is_change(finding: Finding) -> bool:
    if finding.status not in _QUIET:
        return True
    return finding.base is not None and finding.value is not None and finding.value != finding.base
