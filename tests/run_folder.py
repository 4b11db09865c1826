"""A folder that lives as long as the test run, for packages that are made outside of a test's own folder."""

import tempfile
from functools import cache
from pathlib import Path


@cache
def _of_the_run() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="coreml-gate-tests-")


def new_folder() -> Path:
    """An empty folder, removed when the run ends."""
    return Path(tempfile.mkdtemp(dir=_of_the_run().name))
