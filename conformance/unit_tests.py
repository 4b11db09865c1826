"""Which of our own unit tests runs which operation: found by running them, kept in ``unit_tests.json``.

``python conformance/unit_tests.py`` runs ``tests/runtime/ops`` and writes it; ``operations.py`` shows it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(__file__).with_name("unit_tests.json")
FOLDER = "tests/runtime/ops"
_TARGET = "CONFORMANCE_UNIT_TESTS"

Tests = Mapping[str, list[str]]
"""Operation and the opset of its version (``resize@17``), then the tests, ``test_linear::test_matmul``."""


def collect() -> Tests:
    """Run the unit tests of the operations and see what each runs.

    :raises CalledProcessError: One of them fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "tests.json"
        environment = os.environ | {_TARGET: str(target)}
        options = ("-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-p", "conformance.unit_tests")
        command = (sys.executable, "-m", "pytest", *options, FOLDER)
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        found: Tests = json.loads(target.read_text())
    return found


def kept() -> Tests:
    """What the last collection found."""
    found: Tests = json.loads(KEPT.read_text())
    return found


class Watch:
    """Notes the operations that are compiled while a test runs."""

    def __init__(self) -> None:
        self.tests: dict[str, set[str]] = {}
        self._test = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Whose turn it is."""
        self._test = f"{item.path.stem}::{item.nodeid.partition('[')[0].rpartition('::')[2]}"
        yield
        self._test = ""

    def note(self, operation: str, since: int) -> None:
        """One operation was compiled."""
        if self._test:
            self.tests.setdefault(f"{operation}@{since}", set()).add(self._test)

    def pytest_sessionfinish(self) -> None:
        """Write what was seen."""
        found = {name: sorted(tests) for name, tests in sorted(self.tests.items())}
        Path(os.environ[_TARGET]).write_text(json.dumps(found))


def pytest_configure(config: pytest.Config) -> None:
    """As a plugin of pytest: see every look into the registry."""
    from coreml_gate.runtime import compile as compiler  # noqa: PLC0415  # takes torch, wanted as a plugin only

    watch, find = Watch(), compiler.find

    def watched(operation: str, opset: int) -> object:
        found = find(operation, opset)
        if found is not None:
            watch.note(operation, found.since)
        return found

    compiler.find = watched  # type: ignore[assignment]
    config.pluginmanager.register(watch, "unit-tests")


if __name__ == "__main__":
    KEPT.write_text(json.dumps(collect(), indent=1) + "\n")
