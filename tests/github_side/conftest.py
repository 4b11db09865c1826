"""A running server that must be free of violations at the end, and clients that do not wait."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from coreml_gate.github.api.client import Client, Patience, connect
from tests.github_api.hub import FULL_NAME, Hub
from tests.github_api.server import TOKEN, GitHubServer, RunningServer

HASTY = Patience(
    timeout_s=300,
    tries=2,
    secondary_wait_s=0.0,
    longest_wait_s=1.5,
    backoff_s=0.0,
    between_requests_s=None,
    between_writes_s=None,
)


@pytest.fixture(scope="session")
def running() -> Iterator[RunningServer]:
    server = RunningServer()
    yield server
    server.stop()


@pytest.fixture
def server(running: RunningServer) -> Iterator[GitHubServer]:
    fresh = Hub(running.url, running.github.hub.blob_url)
    running.github.hub = fresh
    for kept in (running.github.faults, running.github.requests, running.github.violations):
        kept.clear()
    yield running.github
    assert running.github.violations == []


@pytest.fixture
def hub(server: GitHubServer) -> Hub:
    return server.hub


@pytest.fixture
def environment(hub: Hub) -> dict[str, str]:
    return {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": hub.url, "GITHUB_REPOSITORY": FULL_NAME}


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator[Client]:
    connected = connect(environment, FULL_NAME, HASTY)
    yield connected
    connected.close()


@pytest.fixture
def impatient(environment: dict[str, str]) -> Iterator[Client]:
    """A client that gives a server a second to answer."""
    connected = connect(environment, FULL_NAME, replace(HASTY, timeout_s=1, tries=0))
    yield connected
    connected.close()
