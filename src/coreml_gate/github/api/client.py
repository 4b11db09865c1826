"""The GitHub client: PyGithub for the API, requests for files, both with limited retries.

The token never appears in a message or a representation, and is never sent to another host.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import requests
from github import Auth, Github, GithubException, GithubRetry
from github.GithubException import RateLimitExceededExceedsMaxWait, RateLimitExceededException
from github.Repository import Repository
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPResponse, Retry
from urllib3.exceptions import MaxRetryError

from coreml_gate.errors import GitHubError, RateLimitError, TokenError, UsageError

DEFAULT_API_URL: Final = "https://api.github.com"
PAGE_SIZE: Final = 100
_TRY_AGAIN: Final = "GitHub or the network failed: run the job again."
_READ_RETRIES: Final = (500, 502, 503, 504)
_RATE_LIMITED: Final = (int(requests.codes.forbidden), int(requests.codes.too_many_requests))
"""GitHub refuses with either (docs.github.com, REST, rate limits); PyGithub knows the first."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Patience:
    """How many seconds the gate waits for GitHub before it gives up."""

    timeout_s: int = 30
    """For one response."""
    tries: int = 4
    secondary_wait_s: float = 60.0
    """After a secondary rate limit without a time (GitHub's advice: at least a minute)."""
    longest_wait_s: float = 300.0
    """For any rate limit; a required check that waits an hour is worse than one that fails with a reason."""
    backoff_s: float = 0.5
    between_requests_s: float | None = 0.05
    between_writes_s: float | None = 1.0
    """GitHub requires a second between requests that write (docs.github.com, REST best practices)."""


class PoliteRetry(GithubRetry):
    """Retries requests that are safe to repeat, and never waits longer than its limit.

    A POST that ended in a 5xx or a broken connection may have been carried out, so it is left to the caller,
    who can check first. A POST refused by a rate limit was not carried out.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: FBT001, FBT002 - as overridden
        """Whether to retry after a response of this status."""
        if method == "POST":
            return status_code in _RATE_LIMITED
        return super().is_retry(method, status_code, has_retry_after)

    def increment(  # type: ignore[override]  # as GithubRetry's
        self,
        method: str | None = None,
        url: str | None = None,
        response: HTTPResponse | None = None,
        *others: Any,  # noqa: ANN401 - passed on as they are
        **named: Any,  # noqa: ANN401
    ) -> Retry:
        """The state after a response, with 429 read as PyGithub's 403.

        PyGithub has read the body by then, so that a limit which outlasts all tries would be called a lack of
        permission.
        """
        if response is not None and response.status == requests.codes.too_many_requests:
            response.status = requests.codes.forbidden
        try:
            return super().increment(method, url, response, *others, **named)
        except MaxRetryError:
            if response is None or response.status != requests.codes.forbidden:
                raise
            raise RateLimitExceededException(response.status, None, dict(response.headers)) from None

    def sleep_for_retry(self, response: BaseHTTPResponse) -> bool:
        """Wait as long as Retry-After requires, up to the limit."""
        wanted, longest = self.get_retry_after(response), self.max_rate_limit_wait
        if wanted is not None and longest is not None and wanted > longest:
            raise RateLimitExceededExceedsMaxWait(response.status, None, dict(response.headers), wait=wanted)
        return super().sleep_for_retry(response)


@dataclass(frozen=True)
class Client:
    """One repository, accessed with one token."""

    api: Github = field(repr=False)
    repository: Repository
    session: requests.Session = field(repr=False)
    """For files; sends no token by itself."""
    authorization: str = field(repr=False)
    timeout_s: int

    def close(self) -> None:
        """Close all connections."""
        self.api.close()
        self.session.close()


def connect(environment: Mapping[str, str], full_name: str, patience: Patience = Patience()) -> Client:
    """The client of a repository, with token and address from the environment."""
    token = environment.get("GITHUB_TOKEN", "")
    if not token:
        raise TokenError(
            "there is no token: GITHUB_TOKEN is empty.",
            "pass it to the step: `env: { GITHUB_TOKEN: ${{ github.token }} }`.",
        )
    url = environment.get("GITHUB_API_URL", DEFAULT_API_URL)
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise UsageError(
            f"GITHUB_API_URL `{url}` is not an https address.", "leave it as the runner sets it."
        )
    api = Github(
        base_url=url,
        auth=Auth.Token(token),
        timeout=patience.timeout_s,
        retry=_retry(patience),
        per_page=PAGE_SIZE,
        seconds_between_requests=patience.between_requests_s,
        seconds_between_writes=patience.between_writes_s,
        lazy=True,
    )
    with requesting(f"repository {full_name}"):
        repository = api.get_repo(full_name)
    return Client(api, repository, _session(patience), f"Bearer {token}", patience.timeout_s)


@contextmanager
def requesting(what: str, permission: str = "contents: read") -> Iterator[None]:
    """Turn errors of PyGithub and requests into ours, which name the request and a fix."""
    try:
        yield
    except RateLimitExceededExceedsMaxWait as error:
        raise _rate_limit(what, error.wait) from None
    except RateLimitExceededException:
        raise _rate_limit(what, None) from None
    except GithubException as error:
        raise failure(what, error.status, _words(error.data), permission) from None
    except requests.RequestException as error:
        message = f"{what}: GitHub could not be reached ({type(error).__name__})."
        raise GitHubError(message, _TRY_AGAIN) from None


def failure(what: str, status: int, words: str, permission: str) -> GitHubError:
    """The error for an HTTP status, with a fitting hint."""
    said = f": {words.rstrip('.')}" if words else ""
    message = f"{what}: GitHub answered {status}{said}."
    match status:
        case 401:
            return TokenError(
                message, "the token is wrong or has expired: pass `${{ github.token }}`.", status
            )
        case 403:
            return TokenError(message, _refusal_hint(words, permission), status)
        case 404:
            return GitHubError(
                message,
                f"it does not exist, or the token may not see it: add `{permission}` to the permissions.",
                status,
            )
        case 410:
            return GitHubError(message, "it has expired or was deleted: measure the baseline again.", status)
        case 422:
            return GitHubError(message, "GitHub rejects a value; the message names it.", status)
        case _:
            return GitHubError(message, _TRY_AGAIN, status)


_REFUSAL_HINTS: Final = {
    "issue is locked": "the conversation is locked: unlock it, or let someone with write access comment.",
    "authenticate via a github app": "a personal token cannot write checks: pass `${{ github.token }}`, or "
    "set the input `check` to `status`.",
    "check run can only be modified by the github app": "another app opened this check: pass the same token "
    "to every step of the gate.",
    "saml": "authorize the token for the organization's single sign-on, or pass `${{ github.token }}`.",
    "ip allow list": "the organization blocks requests from this runner's address: use an allowed one.",
    "archived": "the repository is archived and accepts neither comments nor checks: unarchive it.",
}
"""The hint for a refusal that no permission changes, by a part of GitHub's message in lower case."""


def _refusal_hint(message: str, permission: str) -> str:
    known = (hint for part, hint in _REFUSAL_HINTS.items() if part in message.lower())
    return next(
        known,
        f"add `{permission}` to the job's `permissions:`. For a pull request from a fork the token is "
        "always read-only: report from a `workflow_run` workflow.",
    )


def _rate_limit(what: str, wait: float | None) -> RateLimitError:
    wanted = "" if wait is None else f" and requires a wait of {wait:.0f} s"
    return RateLimitError(
        f"{what}: GitHub limits the rate of requests{wanted}.",
        "run the job again later; all workflows of a repository share 1,000 requests an hour.",
        int(requests.codes.forbidden),
    )


def _words(data: object) -> str:
    words = data.get("message", "") if isinstance(data, dict) else ""
    return words[:200] if isinstance(words, str) else ""


def _retry(patience: Patience) -> PoliteRetry:
    return PoliteRetry(
        total=patience.tries,
        backoff_factor=patience.backoff_s,
        secondary_rate_wait=patience.secondary_wait_s,
        max_rate_limit_wait=patience.longest_wait_s,
        status_forcelist=[*range(500, 600), *_RATE_LIMITED],
        allowed_methods=frozenset({"GET", "PATCH", "DELETE"}),
        raise_on_status=False,
    )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Adds no authentication, where requests would look for a password in ~/.netrc."""
    return request


def _session(patience: Patience) -> requests.Session:
    session = requests.Session()
    session.auth = _as_it_is
    retry = Retry(
        total=patience.tries,
        backoff_factor=patience.backoff_s,
        status_forcelist=_READ_RETRIES,
        allowed_methods=frozenset({"GET"}),
        respect_retry_after_header=False,
        raise_on_status=False,
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def create_once(create: Callable[[], Made], find: Callable[[], Made | None]) -> Made:
    """Create something by POST; if the response got lost, look for it before trying once more."""
    try:
        return create()
    except GitHubError as error:
        if error.status is not None and error.status < requests.codes.server_error:
            raise
    found = find()
    return create() if found is None else found
