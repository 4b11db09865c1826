"""The one comment on a pull request: found again by its marker and its author, and changed in place.

Only one job of a workflow comments, from Records that the others left behind; that is what keeps several jobs
from overwriting each other. A marker alone proves nothing: everybody can write one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from github.IssueComment import IssueComment
from github.PullRequestComment import PullRequestComment

from coreml_gate.errors import GitHubError
from coreml_gate.github.api.client import Client, asking, create_once
from coreml_gate.report.markdown import marker
from coreml_gate.verdict import Finding, Status, Verdict

DEFAULT_AUTHOR: Final = "github-actions[bot]"
"""Who writes with the token of a workflow."""
PERMISSION: Final = "pull-requests: write"
_NOT_FOUND: Final = 404
_QUIET: Final = (Status.PASS, Status.SKIPPED)


class CommentMode(StrEnum):
    """When there is something to say; unless it is off, a comment that is there is kept up to date."""

    ALWAYS = "always"
    CHANGES = "changes"
    """When a figure or a status differs from the baseline's."""
    FAILURES = "failures"
    """When something blocks."""
    OFF = "off"


@dataclass(frozen=True)
class Posted:
    """What became of the comment."""

    action: Literal["created", "updated", "unchanged", "none"]
    id: int | None = None
    url: str = ""
    notice: str = ""
    """What the workflow's author should know."""


def is_wanted(mode: CommentMode, verdict: Verdict) -> bool:
    """Whether the Verdict is worth a comment where there is none yet."""
    match mode:
        case CommentMode.ALWAYS:
            return True
        case CommentMode.CHANGES:
            return has_changes(verdict)
        case CommentMode.FAILURES:
            return verdict.exit_code != 0
        case CommentMode.OFF:
            return False


def has_changes(verdict: Verdict) -> bool:
    """Whether anything differs from the baseline, or is not plainly fine."""
    findings = [*verdict.findings, *(each for model in verdict.models for each in model.findings)]
    return verdict.exit_code != 0 or any(_is_change(finding) for finding in findings)


def post(client: Client, number: int, body: str, key: str, author: str, *, wanted: bool) -> Posted:
    """Writes the comment of this key on a pull request, or brings the one that is there up to date.

    Without ``wanted`` none is begun. More than one of our own, which two runs at once can leave, become one.
    """
    own = find_own(client, number, key, author)
    if own:
        for superfluous in own[1:]:
            delete(superfluous)
        return _update(client, number, own[0], body, key, author)
    return _create(client, number, body, key, author) if wanted else Posted("none")


def find_own(client: Client, number: int, key: str, author: str) -> list[IssueComment]:
    """All comments on all pages that start with the marker and were written by ``author``; oldest first."""
    start = marker(key)
    with asking(f"comments of pull request {number}", "pull-requests: read"):
        comments = client.repository.get_issue(number).get_comments()
        return [each for each in comments if each.body.startswith(start) and each.user.login == author]


def _create(client: Client, number: int, body: str, key: str, author: str) -> Posted:
    def create() -> IssueComment:
        with asking(f"a comment on pull request {number}", PERMISSION):
            return client.repository.get_issue(number).create_comment(body)

    comment = create_once(create, lambda: next(iter(find_own(client, number, key, author)), None))
    return Posted("created", comment.id, comment.html_url, _notice(comment.user.login, author))


def _update(client: Client, number: int, comment: IssueComment, body: str, key: str, author: str) -> Posted:
    if is_same(comment.body, body):
        return Posted("unchanged", comment.id, comment.html_url)
    try:
        with asking(f"comment {comment.id} on pull request {number}", PERMISSION):
            comment.edit(body)
    except GitHubError as error:
        if error.status != _NOT_FOUND:
            raise
        return _create(client, number, body, key, author)
    return Posted("updated", comment.id, comment.html_url)


def delete(comment: IssueComment | PullRequestComment) -> None:
    """Deletes a comment, unless somebody else was faster."""
    try:
        with asking(f"comment {comment.id}", PERMISSION):
            comment.delete()
    except GitHubError as error:
        if error.status != _NOT_FOUND:
            raise


def is_same(stored: str, body: str) -> bool:
    """Whether GitHub would store the same: it keeps neither carriage returns nor what trails."""
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
