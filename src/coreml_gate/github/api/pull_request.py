"""Pull requests as GitHub knows them, by number or by commit; what an artifact claims is never used."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from github.NamedUser import NamedUser
from github.Organization import Organization
from github.PullRequest import PullRequest

from coreml_gate.config import Config
from coreml_gate.config.bounds import require_size
from coreml_gate.config.load import CONFIG_NAMES, holds_config, parse_config
from coreml_gate.config.problems import MINIMAL_EXAMPLE, MINIMAL_HINT
from coreml_gate.errors import ConfigError, GitHubError
from coreml_gate.github.api.client import Client, requesting
from coreml_gate.github.api.event import Event, SourceRun
from coreml_gate.wording import short

READ: Final = "pull-requests: read"
MAX_COMMENTS: Final = 1_000
MAX_OF_BRANCH: Final = 100
"""Most open pull requests of one branch that are read."""
_WRITERS: Final = ("admin", "write")
_GHOST: Final = "ghost"
"""The account that GitHub's pages show in the place of a deleted one."""


@dataclass(frozen=True)
class Pull:
    """Everything that the gate needs to know about a pull request."""

    number: int
    head_sha: str
    base_ref: str
    base_sha: str
    author: str
    body: str
    labels: tuple[str, ...]
    merged: bool = False


@dataclass(frozen=True)
class Statement:
    """A text on a pull request, with its author."""

    author: str
    text: str


@dataclass(frozen=True)
class Identified:
    """The pull request to report on, or the reason why there is none."""

    pull: Pull | None
    reason: str = ""


def login_of(user: NamedUser | Organization | None) -> str:
    """The login of an author; for a deleted account GitHub gives no user (giscus/giscus#391)."""
    return _GHOST if user is None else user.login


def read_pull(client: Client, number: int) -> Pull:
    """The pull request as it is now."""
    with requesting(f"pull request {number}", READ):
        return _pull(client.repository.get_pull(number))


def identify(client: Client, run: SourceRun) -> Identified:
    """The open pull request into this repository whose newest commit the run measured.

    It is found by the branch of the run's head, because for a commit of a fork GitHub lists no pull
    requests, and ``workflow_run.pull_requests`` is empty (HypothesisWorks/hypothesis#4840,
    learningequality/kolibri#14719). One branch can be the head of several, into different branches.
    """
    if run.head_repository is None:
        return Identified(None, f"the repository of commit {short(run.head_sha)} was deleted")
    branch = f"{run.head_owner}:{run.head_branch}"
    with requesting(f"pull requests of branch {branch}", READ):
        listed = islice(client.repository.get_pulls(state="open", head=branch), MAX_OF_BRANCH)
        of_branch = [each for each in listed if _comes_from(each, run)]
        current = [_pull(each) for each in of_branch if each.head.sha == run.head_sha]
        newer = [(each.number, each.head.sha) for each in of_branch]
    if len(current) == 1:
        return Identified(current[0])
    return Identified(None, _why_not_one(current, newer, run.head_sha))


def if_current(pull: Pull, event: Event, notices: list[str]) -> Pull | None:
    """The pull request, unless it has a newer commit, which an older run must not comment on."""
    if pull.head_sha == event.head_sha:
        return pull
    notices.append(f"no comment: pull request {pull.number} has a newer commit {short(pull.head_sha)}.")
    return None


def _comes_from(pull: PullRequest, run: SourceRun) -> bool:
    """Whether the head is the run's branch, without relying on GitHub's filter."""
    head = pull.head
    return head.repo is not None and head.repo.id == run.head_repository and head.ref == run.head_branch


def _why_not_one(current: Sequence[Pull], of_branch: Sequence[tuple[int, str]], head_sha: str) -> str:
    if current:
        numbers = ", ".join(str(each.number) for each in current)
        count = f"{len(current)} open pull requests have the commit {short(head_sha)}"
        return f"{count}: {numbers}; close all but one"
    if of_branch:
        number, newer = of_branch[0]
        return f"pull request {number} has a newer commit {short(newer)}"
    return f"no open pull request has the commit {short(head_sha)}"


@dataclass(frozen=True)
class ConfigText:
    """The text of a configuration."""

    path: str
    """Its path in the repository."""
    text: str


def read_config(client: Client, reference: str, path: str | None) -> Config:
    """The configuration at a commit or on a branch, from ``path`` or from the usual places."""
    found = read_config_text(client, reference, path)
    return parse_config(found.text, found.path)


def read_config_text(client: Client, reference: str, path: str | None) -> ConfigText:
    """The same as text."""
    for name in (path,) if path else CONFIG_NAMES:
        text = _read_text(client, reference, name)
        if text is not None and (path or holds_config(text, name)):
            return ConfigText(name, text)
    looked = path or " and ".join(CONFIG_NAMES)
    raise ConfigError(
        f"there is no configuration at {short(reference)}: looked for {looked}.",
        MINIMAL_HINT,
        example=MINIMAL_EXAMPLE,
    )


def statements(client: Client, pull: Pull, own_author: str) -> list[Statement]:
    """The description and all comments except our own, in order."""
    with requesting(f"comments of pull request {pull.number}", READ):
        listed = islice(client.repository.get_issue(pull.number).get_comments(), MAX_COMMENTS)
        comments = [(login_of(each.user), each.body) for each in listed]
    texts = [(pull.author, pull.body), *comments]
    return [Statement(author, text) for author, text in texts if author != own_author]


def may_write(client: Client, login: str) -> bool:
    """Whether a user may push to this repository."""
    try:
        with requesting(f"permission of {login}", "metadata: read"):
            return client.repository.get_collaborator_permission(login) in _WRITERS
    except GitHubError as error:
        if not error.is_missing:
            raise
        return False


def _pull(pull: PullRequest) -> Pull:
    return Pull(
        number=pull.number,
        head_sha=pull.head.sha,
        base_ref=pull.base.ref,
        base_sha=pull.base.sha,
        author=login_of(pull.user),
        body=pull.body or "",
        labels=tuple(label.name for label in pull.labels),
        merged=pull.merged_at is not None,
    )


def _read_text(client: Client, reference: str, path: str) -> str | None:
    """The text of a file, or ``None``."""
    try:
        with requesting(f"file {path} at {short(reference)}"):
            found = client.repository.get_contents(path, ref=reference)
            if isinstance(found, list) or found.type != "file":
                return None
            require_size(found.size, f"{path} at {short(reference)}")
            return found.decoded_content.decode("utf-8")
    except GitHubError as error:
        if not error.is_missing:
            raise
        return None
    except (UnicodeDecodeError, AssertionError) as error:
        raise ConfigError(f"`{path}` at {short(reference)} is not text.", "save it as UTF-8.") from error
