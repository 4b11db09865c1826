"""One server, one machine and one repository for all plays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action.driver import Machine
from tests.github_api.server import RunningServer


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    server = RunningServer()
    yield Machine(tmp_path_factory.mktemp("act"), server)
    server.stop()
    assert server.github.violations == []


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")
