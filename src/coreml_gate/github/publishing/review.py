"""Suggestions on lines of a pull request: found again by marker and author, changed in place, never twice.

GitHub takes a comment on lines that the pull request's diff shows, and on no others. A comment cannot be
moved: one whose line went elsewhere is deleted and written anew.

A suggestion is a line of the configuration that one click applies. The operations that it names come from an
untrusted Record, the line that is replaced from the pull request. So names have to be plain, the edit is
proven (:mod:`coreml_gate.config.edit`), and lines that could leave their code block or hide something in it
are not shown.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Annotated, Final

from github.GithubObject import NotSet
from github.PullRequestComment import PullRequestComment
from pydantic import Field, StringConstraints, ValidationError

from coreml_gate.config.edit import Edit, Key, Value, edit_of
from coreml_gate.config.options import ModelName
from coreml_gate.foreign import escape
from coreml_gate.frozen import FrozenModel
from coreml_gate.github.api.client import Client, create_once, requesting
from coreml_gate.github.api.pull_request import READ, ConfigText, Pull, login_of, read_config_text
from coreml_gate.github.publishing.comment import PERMISSION, delete, is_same
from coreml_gate.record import Route
from coreml_gate.verdict import Finding, ModelVerdict, Status, Verdict

MAX_FILES: Final = 3_000
"""Most files that GitHub lists for a pull request (docs.github.com, REST, pulls)."""
_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
MAX_SUGGESTIONS: Final = 10
"""Most suggestions on one pull request; each is a write request, and GitHub requires a second between two."""
_HINT_LIMIT: Final = 600
Pattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*?!\[\]/-]{1,200}$")]
"""A pattern of ``keep-fp32``: classes, types and names of operations, and globs."""
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)]


@dataclass(frozen=True)
class Suggestion:
    """One comment on lines of the configuration."""

    marker: str
    """The beginning of its comment, by which a later run finds it."""
    path: str
    edit: Edit
    body: str
    """The whole comment, including the marker."""


class _Patched(FrozenModel):
    """A model's table with one of the keys that a patch may set."""

    name: ModelName
    keep_fp32: Patterns | None = Field(default=None, alias="keep-fp32")
    conversion: Route | None = None

    def setting(self) -> tuple[Key, Value] | None:
        """The key and its value."""
        match self.keep_fp32, self.conversion:
            case tuple() as patterns, None:
                return "keep-fp32", patterns
            case None, str() as route:
                return "conversion", route
            case _:
                return None


def review(client: Client, pull: Pull, verdict: Verdict, config: str | None, key: str, author: str) -> None:
    """Brings the suggestions on a pull request up to date.

    ``config`` is the path of the configuration, which is read at the head. What has nothing to suggest any
    more is deleted.
    """
    wanted: Sequence[Suggestion] = ()
    if has_patches(verdict):
        wanted = _suggestions_of(verdict, read_config_text(client, pull.head_sha, config), key)
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
    """The lines of the new file that a diff shows, by hunk, including unchanged ones around a change."""
    hunks = ((int(start), int(length or 1)) for start, length in _HUNK.findall(patch))
    return tuple(range(start, start + length) for start, length in hunks)


def _shown_lines(client: Client, number: int, path: str) -> tuple[range, ...]:
    """The lines shown of a file; none if the pull request does not change it, or its diff is too large."""
    with requesting(f"files of pull request {number}", READ):
        files = islice(client.repository.get_pull(number).get_files(), MAX_FILES)
        patch = next((file.patch for file in files if file.filename == path), None)
    return shown_ranges(patch or "")


def _within(shown: Sequence[range], wanted: Sequence[Suggestion]) -> list[Suggestion]:
    """The suggestions whose lines are all in one hunk."""
    ends = [(each, each.edit.first, each.edit.last) for each in wanted]
    return [each for each, first, last in ends if any(first in hunk and last in hunk for hunk in shown)]


def _find_own(client: Client, number: int, start: str, author: str) -> list[PullRequestComment]:
    with requesting(f"review comments of pull request {number}", READ):
        comments = client.repository.get_pull(number).get_review_comments()
        return [each for each in comments if each.body.startswith(start) and login_of(each.user) == author]


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
        with requesting(f"suggestion {found.id} on pull request {pull.number}", PERMISSION):
            found.edit(suggestion.body)


def _create(client: Client, pull: Pull, suggestion: Suggestion) -> PullRequestComment:
    first, last = suggestion.edit.first, suggestion.edit.last
    is_one = first == last
    with requesting(f"a suggestion on pull request {pull.number}, {suggestion.path}:{last}", PERMISSION):
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


def marker(key: str) -> str:
    """The beginning of all suggestions of one key."""
    return f"<!-- coreml-gate-suggestion: {key} "


def has_patches(verdict: Verdict) -> bool:
    """Whether there is anything to suggest."""
    return any(_is_wanted(finding) for _, finding in verdict.of_models)


def _suggestions_of(verdict: Verdict, config: ConfigText, key: str) -> tuple[Suggestion, ...]:
    """At most one suggestion per model, of its first finding with a patch: parity comes before precision."""
    found = (next(_of_model(model, config, key), None) for model in verdict.models)
    return tuple(islice((each for each in found if each is not None), MAX_SUGGESTIONS))


def _of_model(model: ModelVerdict, config: ConfigText, key: str) -> Iterator[Suggestion]:
    for finding in model.findings:
        setting = _setting(model.name, finding) if _is_wanted(finding) else None
        edit = None if setting is None else edit_of(config.text, config.path, model.name, *setting)
        if edit is not None and all(map(_is_harmless, edit.lines)):
            mark = f"{marker(key)}{model.name} -->"
            path = str(PurePosixPath(config.path))
            yield Suggestion(mark, path, edit, _body(mark, model.name, finding, edit))


def _is_wanted(finding: Finding) -> bool:
    blames = finding.status in (Status.WARN, Status.FAIL) and finding.accepted is None
    return blames and finding.patch != ()


def _setting(model: str, finding: Finding) -> tuple[Key, Value] | None:
    """The setting that a patch makes for this model; ``None`` if it is not of the form that checks write."""
    try:
        match tomllib.loads("\n".join(finding.patch)):
            case {"model": [table], **others} if not others:
                patched = _Patched.model_validate(table)
                return patched.setting() if patched.name == model else None
            case _:
                return None
    except (tomllib.TOMLDecodeError, ValidationError):
        return None


def _is_harmless(line: str) -> bool:
    """Whether a line hides nothing and cannot end its code block."""
    spaced = line.replace("\t", " ")
    return escape.visible(spaced) == spaced and "`" not in line


def _body(mark: str, model: str, finding: Finding, edit: Edit) -> str:
    about = f"**coreml-gate**: {escape.code(finding.check)} of {escape.code(model)} can be repaired here:"
    hint = escape.message(finding.hint, _HINT_LIMIT)
    return "\n".join((mark, f"{about} {hint}", "", "```suggestion", *edit.lines, "```", ""))
