"""What is drawn by chance follows from the test, and no time counts, so that a pass is a pass everywhere.

On a Mac the tests run as elsewhere: coremltools has no native half, which would load every converted model
into Core ML inside of the tests, and the gate does not ask Core ML unless a test says so. What Core ML itself
does is asked in children, by tests/mac.
"""

import gc
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings

from tests.not_on_a_mac import reason_against
from tests.warm import WARM

pytest_plugins = ["tests.reliability", "pytester"]

settings.register_profile(
    "fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fixed")
MANY_OBJECTS = 10_000
"""A tenth of what the first conversion of a process imports and keeps."""
if sys.platform == "darwin":
    sys.modules["coremltools.libcoremlpython"] = None  # type: ignore[assignment]


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """On a Mac, skip what presumes another system."""
    for item in items if sys.platform == "darwin" else ():
        if reason := reason_against(item.nodeid):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A model without a seed has the same weights whatever ran before, on whichever worker."""
    if len(gc.get_objects()) > MANY_OBJECTS:
        _freeze()
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def pytest_collection_finish() -> None:
    _freeze()


def _freeze() -> None:
    """coremltools collects garbage at each conversion; what was imported is none, and slow to walk."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _warm_children_end_with_the_session() -> Iterator[None]:
    with WARM:
        yield


@pytest.fixture(autouse=True, scope="session")
def _temporary_files_end_with_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """coremltools removes its own at exit, which a worker of xdist does not come to."""
    tmp_path_factory.getbasetemp()  # pytest's own stay: they show why a test failed
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(folder).chmod(0o711)  # the action's tests run models as another user, who has to pass
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(autouse=True, scope="session")
def _core_ml_is_off_unless_named() -> Iterator[None]:
    if sys.platform != "darwin":
        yield
        return
    from coreml_gate.commands import context  # noqa: PLC0415 - only on a Mac

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "_answering", _answering)
        yield


def _answering(wanted: str) -> Literal["stand-in"] | None:
    return "stand-in" if wanted == "stand-in" else None


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules are imported without a trace left behind."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
