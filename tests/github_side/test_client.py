"""Errors that name what was asked and the way out; waits that end; a token that nobody sees."""

import re
import time
from collections.abc import Callable

import pytest

from coreml_gate.errors import GitHubError, RateLimitError, TokenError, UsageError
from coreml_gate.github.api.client import Client, connect, requesting
from tests.github_api.faults import (
    ALLOW_LIST,
    ARCHIVED,
    LOCKED,
    NO_APP,
    NOT_ACCESSIBLE,
    OTHER_APP,
    PRIMARY,
    SAML,
    SECONDARY,
    Fault,
)
from tests.github_api.hub import FULL_NAME
from tests.github_api.server import TOKEN, GitHubServer
from tests.github_side.conftest import HASTY


def get_pull(client: Client, number: int = 7) -> str:
    with requesting(f"pull request {number}", "pull-requests: read"):
        return client.repository.get_pull(number).state


def post_comment(client: Client) -> None:
    with requesting("a comment on pull request 7", "pull-requests: write"):
        client.repository.get_issue(7).create_comment("hello")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message", "hint"),
    [
        (401, {"message": "Bad credentials"}, TokenError, "GitHub answered 401: Bad credentials.", "expired"),
        (
            403,
            NOT_ACCESSIBLE,
            TokenError,
            "403: Resource not accessible by integration.",
            "`pull-requests: read`",
        ),
        (403, LOCKED, TokenError, "403: Unable to create comment because issue is locked.", "unlock it"),
        (403, NO_APP, TokenError, "403: You must authenticate via a GitHub App.", "`check` to `status`"),
        (403, OTHER_APP, TokenError, "403: Invalid app_id `15368`", "the same token"),
        (403, SAML, TokenError, "403: Resource protected by organization SAML", "single sign-on"),
        (403, ALLOW_LIST, TokenError, "403: Although you appear", "runner's address"),
        (403, ARCHIVED, TokenError, "403: Repository was archived so is read-only.", "unarchive it"),
        (404, {"message": "Not Found"}, GitHubError, "GitHub answered 404: Not Found.", "does not exist"),
        (410, {"message": "Gone"}, GitHubError, "GitHub answered 410: Gone.", "expired"),
        (422, {"message": "Validation Failed"}, GitHubError, "422: Validation Failed.", "rejects a value"),
        (500, {"message": "Server Error"}, GitHubError, "GitHub answered 500: Server Error.", "again"),
    ],
)
def test_a_failure_names_what_was_asked_and_the_way_out(
    server: GitHubServer,
    client: Client,
    status: int,
    body: object,
    kind: type[GitHubError],
    message: str,
    hint: str,
) -> None:
    server.faults.append(Fault("GET", "/pulls/7", status, body, times=9))

    with pytest.raises(kind, match=re.escape(message)) as caught:
        get_pull(client)
    assert caught.value.message.startswith("pull request 7: ")
    assert hint in caught.value.hint
    assert caught.value.status == status
    assert TOKEN not in str(caught.value) + repr(client)


def test_a_server_error_is_survived(server: GitHubServer, client: Client) -> None:
    server.hub.add_pull(7, "a" * 40)
    server.faults.append(Fault("GET", "/pulls/7", 502))

    assert get_pull(client) == "open"
    assert server.asked("GET", "/pulls/7") == 2


def test_a_post_that_may_have_been_carried_out_is_not_repeated(server: GitHubServer, client: Client) -> None:
    server.faults.append(Fault("POST", "/comments", 502, kind="done-but"))

    with pytest.raises(GitHubError, match="502"):
        post_comment(client)
    assert server.asked("POST", "/comments") == 1
    assert len(server.hub.comments) == 1


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("body", "headers"), [(SECONDARY, {"Retry-After": "1"}), (SECONDARY, {}), (PRIMARY, {})]
)
def test_a_rate_limit_is_waited_for(
    server: GitHubServer, client: Client, status: int, body: object, headers: dict[str, str]
) -> None:
    server.faults.append(Fault("POST", "/comments", status, body, headers))

    post_comment(client)
    assert len(server.hub.comments) == 1


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (SECONDARY, lambda: {"Retry-After": "3600"}),
        (PRIMARY, lambda: {"X-RateLimit-Reset": str(int(time.time()) + 3600)}),
    ],
)
def test_no_rate_limit_is_waited_for_longer_than_allowed(
    server: GitHubServer, client: Client, status: int, body: object, headers: Callable[[], dict[str, str]]
) -> None:
    server.faults.append(Fault("GET", "/pulls/7", status, body, headers(), times=9))

    with pytest.raises(RateLimitError, match=r"requires a wait of 3\d{3} s"):
        get_pull(client)
    assert server.asked("GET", "/pulls/7") == 1


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("method", "path", "act"), [("GET", "/pulls/7", get_pull), ("POST", "/comments", post_comment)]
)
def test_a_rate_limit_that_goes_on_is_called_so(
    server: GitHubServer,
    client: Client,
    method: str,
    path: str,
    act: Callable[[Client], object],
    status: int,
) -> None:
    server.faults.append(Fault(method, path, status, SECONDARY, times=9))

    with pytest.raises(RateLimitError, match="pull request 7: GitHub limits the rate of requests"):
        act(client)
    assert server.asked(method, path) == 3


@pytest.mark.parametrize(
    "fault", [Fault("GET", "/pulls/7", kind="slow", seconds=2), Fault("GET", "/pulls/7", kind="cut")]
)
def test_a_broken_connection_is_an_error_of_ours(
    server: GitHubServer, impatient: Client, fault: Fault
) -> None:
    server.hub.add_pull(7, "a" * 40)
    server.faults.append(Fault(fault.method, fault.path, kind=fault.kind, seconds=fault.seconds))

    with pytest.raises(GitHubError, match="pull request 7: GitHub could not be reached"):
        get_pull(impatient)


def test_no_token_and_no_tls_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(TokenError, match="GITHUB_TOKEN is empty"):
        connect(environment | {"GITHUB_TOKEN": ""}, FULL_NAME, HASTY)
    with pytest.raises(UsageError, match="is not an https address"):
        connect(environment | {"GITHUB_API_URL": "http://github.example"}, FULL_NAME, HASTY)
