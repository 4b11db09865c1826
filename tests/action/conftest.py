"""One server and one machine for all plays."""

from collections.abc import Iterator

import pytest

from tests.action.driver import Machine
from tests.github_api.server import RunningServer


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    server = RunningServer()
    made = Machine(tmp_path_factory.mktemp("act"), server)
    yield made
    made.remove()
    server.stop()
