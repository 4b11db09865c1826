"""A pull request as GitHub knows it, never as an artifact claims it: by its number, or by a commit."""

from dataclasses import dataclass
from itertools import islice
from typing import Final

from github.PullRequest import PullRequest

from coreml_gate.config import Config
from coreml_gate.config.load import CONFIG_NAMES, holds_config, parse_config
from coreml_gate.config.problems import MINIMAL_HINT
from coreml_gate.errors import ConfigError, GitHubError
from coreml_gate.gate.git import short
from coreml_gate.github.api.client import Client, asking

READ: Final = "pull-requests: read"
MAX_CONFIG_BYTES: Final = 256 * 1024
MAX_COMMENTS: Final = 1_000
_NOT_FOUND: Final = 404
_WRITERS: Final = ("admin", "write")


@dataclass(frozen=True)
class Pull:
    """What the gate wants to know of a pull request."""

    number: int
    head_sha: str
    head_ref: str
    base_ref: str
    base_sha: str
    author: str
    body: str
    labels: tuple[str, ...]
    merged: bool = False


@dataclass(frozen=True)
class Statement:
    """A text on a pull request, and who wrote it."""

    author: str
    text: str


@dataclass(frozen=True)
class Identified:
    """The pull request to report on, or why there is none."""

    pull: Pull | None
    reason: str = ""


def read_pull(client: Client, number: int) -> Pull:
    """The pull request as it is now."""
    with asking(f"pull request {number}", READ):
        return _pull(client.repository.get_pull(number))


def identify(client: Client, head_sha: str, head_branch: str) -> Identified:
    """The open pull request into this repository whose newest commit is ``head_sha``.

    ``workflow_run.pull_requests`` is empty for forks, so the commit is asked for its pull requests. The same
    commit can be the head of several: then the branch decides, and else the oldest of them.
    """
    with asking(f"pull requests of commit {short(head_sha)}", READ):
        repository = client.repository
        listed = list(islice(repository.get_commit(head_sha).get_pulls(), 100))
        here = [each for each in listed if each.state == "open" and each.base.repo.id == repository.id]
        current = [_pull(each) for each in here if each.head.sha == head_sha]
    if current:
        of_branch = [each for each in current if each.head_ref == head_branch] or current
        return Identified(min(of_branch, key=lambda each: each.number))
    if here:
        newer = short(here[0].head.sha)
        return Identified(None, f"pull request {here[0].number} has a newer commit {newer}")
    return Identified(None, f"no open pull request has the commit {short(head_sha)}")


@dataclass(frozen=True)
class ConfigText:
    """A configuration as it is written."""

    path: str
    """In the repository."""
    text: str


def read_config(client: Client, reference: str, path: str | None) -> Config:
    """The configuration at a commit or on a branch, from ``path`` or from where one is looked for."""
    found = read_config_text(client, reference, path)
    return _parsed(found.text, found.path, reference)


def read_config_text(client: Client, reference: str, path: str | None) -> ConfigText:
    """The same, not yet understood."""
    for name in (path,) if path else CONFIG_NAMES:
        text = _read_text(client, reference, name)
        if text is not None and (path or holds_config(text, name)):
            return ConfigText(name, text)
    looked = path or " and ".join(CONFIG_NAMES)
    raise ConfigError(f"there is no configuration at {short(reference)}: looked for {looked}.", MINIMAL_HINT)


def statements(client: Client, pull: Pull, own_author: str) -> list[Statement]:
    """The description and all comments but our own, in their order."""
    with asking(f"comments of pull request {pull.number}", READ):
        listed = islice(client.repository.get_issue(pull.number).get_comments(), MAX_COMMENTS)
        comments = [(each.user.login, each.body) for each in listed]
    texts = [(pull.author, pull.body), *comments]
    return [Statement(author, text) for author, text in texts if author != own_author]


def may_write(client: Client, login: str) -> bool:
    """Whether somebody may push to this repository."""
    try:
        with asking(f"permission of {login}", "metadata: read"):
            return client.repository.get_collaborator_permission(login) in _WRITERS
    except GitHubError as error:
        if error.status != _NOT_FOUND:
            raise
        return False


def _pull(pull: PullRequest) -> Pull:
    return Pull(
        number=pull.number,
        head_sha=pull.head.sha,
        head_ref=pull.head.ref,
        base_ref=pull.base.ref,
        base_sha=pull.base.sha,
        author=pull.user.login,
        body=pull.body or "",
        labels=tuple(label.name for label in pull.labels),
        merged=pull.merged_at is not None,
    )


def _read_text(client: Client, reference: str, path: str) -> str | None:
    """The text of a file, or ``None`` where there is none."""
    try:
        with asking(f"file {path} at {short(reference)}"):
            found = client.repository.get_contents(path, ref=reference)
            if isinstance(found, list) or found.type != "file":
                return None
            if found.size > MAX_CONFIG_BYTES:
                raise ConfigError(
                    f"`{path}` at {short(reference)} has {found.size:,} bytes, allowed {MAX_CONFIG_BYTES:,}.",
                    "keep the configuration in a file of its own.",
                )
            return found.decoded_content.decode("utf-8")
    except GitHubError as error:
        if error.status != _NOT_FOUND:
            raise
        return None
    except (UnicodeDecodeError, AssertionError) as error:
        raise ConfigError(f"`{path}` at {short(reference)} is not text.", "save it as UTF-8.") from error


def _parsed(text: str, name: str, reference: str) -> Config:
    try:
        return parse_config(text, name)
    except RecursionError as error:
        raise ConfigError(
            f"`{name}` at {short(reference)} is nested too deep to be read.", MINIMAL_HINT
        ) from error
