"""Suggestions on lines of a pull request: found again by marker and author, changed in place, never twice.

GitHub takes a comment on lines that the pull request's diff shows, and on no others. A comment cannot be
moved: one whose line went elsewhere is deleted and written anew.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from github.GithubObject import NotSet
from github.PullRequestComment import PullRequestComment

from coreml_gate.github.api.client import Client, asking, create_once
from coreml_gate.github.api.pull_request import READ, Pull, read_config_text
from coreml_gate.github.publishing.comment import PERMISSION, delete, is_same
from coreml_gate.github.publishing.suggestions import Suggestion, has_patches, marker, suggestions_of
from coreml_gate.verdict import Verdict

MAX_FILES: Final = 3_000
"""As many as GitHub lists of a pull request (docs.github.com, REST, pulls)."""
_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


def review(client: Client, pull: Pull, verdict: Verdict, config: str | None, key: str, author: str) -> None:
    """Brings the suggestions on a pull request up to date.

    ``config`` is the path of the configuration, which is read at the head. What has nothing to suggest any
    more is deleted.
    """
    wanted: Sequence[Suggestion] = ()
    if has_patches(verdict):
        wanted = suggestions_of(verdict, read_config_text(client, pull.head_sha, config), key)
    if wanted:
        wanted = _within(_shown_lines(client, pull.number, wanted[0].path), wanted)
    own = _find_own(client, pull.number, marker(key), author)
    pairs = [(each, _at_its_lines(each, own)) for each in wanted]
    kept = {comment.id for _, comment in pairs if comment is not None}
    for comment in own:
        if comment.id not in kept:
            delete(comment)
    for suggestion, found in pairs:
        _write(client, pull, suggestion, found, author)


def shown_ranges(patch: str) -> tuple[range, ...]:
    """The lines of the new file that a diff shows, hunk by hunk, the unchanged ones around a change too."""
    hunks = ((int(start), int(length or 1)) for start, length in _HUNK.findall(patch))
    return tuple(range(start, start + length) for start, length in hunks)


def _shown_lines(client: Client, number: int, path: str) -> tuple[range, ...]:
    """Nothing for a file that is not part of the pull request, or whose diff GitHub finds too large."""
    with asking(f"files of pull request {number}", READ):
        files = islice(client.repository.get_pull(number).get_files(), MAX_FILES)
        patch = next((file.patch for file in files if file.filename == path), None)
    return shown_ranges(patch or "")


def _within(shown: Sequence[range], wanted: Sequence[Suggestion]) -> list[Suggestion]:
    """Those whose lines all stand in one hunk."""
    ends = [(each, each.edit.first, each.edit.last) for each in wanted]
    return [each for each, first, last in ends if any(first in hunk and last in hunk for hunk in shown)]


def _find_own(client: Client, number: int, start: str, author: str) -> list[PullRequestComment]:
    with asking(f"review comments of pull request {number}", READ):
        comments = client.repository.get_pull(number).get_review_comments()
        return [each for each in comments if each.body.startswith(start) and each.user.login == author]


def _at_its_lines(suggestion: Suggestion, own: Sequence[PullRequestComment]) -> PullRequestComment | None:
    edit = suggestion.edit
    first = None if edit.first == edit.last else edit.first
    place = (suggestion.path, first, edit.last)
    of_model = (each for each in own if each.body.startswith(suggestion.marker))
    return next((each for each in of_model if (each.path, each.start_line, each.line) == place), None)


def _write(
    client: Client, pull: Pull, suggestion: Suggestion, found: PullRequestComment | None, author: str
) -> None:
    if found is None:
        create_once(
            lambda: _create(client, pull, suggestion),
            lambda: _at_its_lines(suggestion, _find_own(client, pull.number, suggestion.marker, author)),
        )
    elif not is_same(found.body, suggestion.body):
        with asking(f"suggestion {found.id} on pull request {pull.number}", PERMISSION):
            found.edit(suggestion.body)


def _create(client: Client, pull: Pull, suggestion: Suggestion) -> PullRequestComment:
    first, last = suggestion.edit.first, suggestion.edit.last
    is_one = first == last
    with asking(f"a suggestion on pull request {pull.number}, {suggestion.path}:{last}", PERMISSION):
        repository = client.repository
        return repository.get_pull(pull.number).create_review_comment(
            suggestion.body,
            repository.get_commit(pull.head_sha),
            suggestion.path,
            line=last,
            side="RIGHT",
            start_line=NotSet if is_one else first,
            start_side=NotSet if is_one else "RIGHT",
        )
