"""The pytest plugin: coremltools can predict, every comparison is strict, every test leaves a line.

Used by ``run.py`` (``pytest -p conformance.plugin --pyargs coremltools...``).
"""

import gc
import os
import platform
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch

from conformance import groups, ledger, limits
from conformance.sample import sample, spread
from coreml_gate import stand_in
from coreml_gate.mil.ir import TensorType
from coreml_gate.runtime import Model

_LIMITS = {True: limits.HALF, False: limits.SINGLE}
_MESSAGE_CHARACTERS = 600


class Suite:
    """What one pytest process knows: the test that runs now, and where its line goes."""

    def __init__(self, path: Path | None, process: str) -> None:
        self._path = path
        self._process = process
        self._entry: ledger.Entry | None = None

    def watch(self, stages: tuple[Model, ...]) -> None:
        """Called before each prediction."""
        if self._entry is None:
            return
        self._entry.predictions += 1
        for stage in stages:
            self._entry.half = self._entry.half or _holds_half(stage)
            for operation in {item.type for item in stage.function.block.walk()} - {"const"}:
                newest = max(stage.function.opset, self._entry.operations.get(operation, 0))
                self._entry.operations[operation] = newest

    def limit(self) -> float | None:
        """The limit of a comparison made now; ``None`` before any prediction."""
        if self._entry is None or not self._entry.predictions:
            return None
        return _LIMITS[self._entry.half]

    def note(self, error: float) -> None:
        """One comparison's error."""
        if self._entry is not None:
            self._entry.comparisons += 1
            self._entry.error = max(self._entry.error, error)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Seed, run, write the line."""
        self._entry = ledger.Entry(test_name(item), parameters(item), group(item))
        _seed(item.nodeid)
        start = time.perf_counter()
        result = yield
        self._entry.seconds = round(time.perf_counter() - start, 3)
        if self._path is not None:
            ledger.append(self._path, self._process, self._entry)
        self._entry = None
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Take the outcome into the entry."""
        report = yield
        if self._entry is not None and (report.when == "call" or report.outcome != "passed"):
            self._record(self._entry, report, call)
        return report

    def _record(self, entry: ledger.Entry, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        entry.outcome = _outcome(report)
        if call.excinfo is None or entry.outcome == "passed":
            return
        error = call.excinfo.value
        entry.message = f"{type(error).__name__}: {error}"[:_MESSAGE_CHARACTERS]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that ``run.py`` passes on."""
    options = parser.getgroup("conformance")
    options.addoption("--ledger", type=Path, help="the file that gets one JSON line per test")
    options.addoption(
        "--sample", type=int, default=0, help="at most so many parametrisations per test function"
    )
    options.addoption("--groups", default="", help="groups to run, separated by commas")


def pytest_configure(config: pytest.Config) -> None:
    """Install everything before coremltools' test files are imported."""
    suite = Suite(config.getoption("--ledger"), os.environ.get("PYTEST_XDIST_WORKER", "main"))
    config.pluginmanager.register(suite, "conformance-suite")
    stand_in.install(watch=suite.watch, force=True)
    _pretend_macos()
    np.testing.assert_allclose = limits.strict_compare(np.testing.assert_allclose, suite.limit, suite.note)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the asked groups, then the sample, then what an earlier run has not done."""
    asked = tuple(name for name in config.getoption("--groups").split(",") if name)
    kept = [item for item in items if groups.wanted(group(item), asked)]
    most, path = config.getoption("--sample"), config.getoption("--ledger")
    wanted = sample(kept, test_name, most) if most else kept
    if path is not None:
        ledger.announce(path, Counter(map(group, wanted)), Counter(map(group, kept)))
        done = ledger.done(path)
        wanted = [item for item in wanted if (test_name(item), parameters(item)) not in done]
    items[:] = spread(wanted, test_name)


def pytest_collection_finish() -> None:
    """Every conversion of coremltools ends with a garbage collection of everything; Python's own, which come
    as objects pile up, are enough here.
    """
    gc.collect()
    gc.freeze()
    gc.collect = lambda generation=2: generation


def group(item: pytest.Item) -> str:
    """The group that a test belongs to."""
    return groups.group_of(item.path, _frontend(item))


def test_name(item: pytest.Item) -> str:
    """The test function within its group, without parameters."""
    return "::".join((group(item), *item.nodeid.partition("[")[0].split("::")[1:]))


test_name.__test__ = False  # type: ignore[attr-defined]  # a name that pytest would collect


def parameters(item: pytest.Item) -> str:
    """What stands in brackets behind the function's name."""
    return item.nodeid.partition("[")[2].removesuffix("]")


def _frontend(item: pytest.Item) -> str | None:
    if "frontend" not in item.path.parts:
        return None
    parameter = getattr(getattr(item, "callspec", None), "params", {}).get("frontend")
    return "TORCHSCRIPT" if parameter is None else str(parameter.name)


def _pretend_macos() -> None:
    """The tests predict only where a constant says macOS, and use torch.export only where no x86 is named."""
    for name, module in list(sys.modules.items()):
        if name.startswith("coremltools.") and getattr(module, "_IS_MACOS", None) is False:
            module._IS_MACOS = True  # type: ignore[attr-defined]  # noqa: SLF001
    platform.machine = lambda: "arm64"


def _seed(name: str) -> None:
    """The tests draw inputs without a seed; each gets its own, so that a failure can be seen again."""
    seed = zlib.crc32(name.rpartition("/")[2].encode())
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the generator that the tests use
    torch.manual_seed(seed)


def _holds_half(model: Model) -> bool:
    """Constants count: the expected values are mostly computed from weights before they are rounded."""
    values = list(model.function.inputs)
    values += [value for operation in model.function.block.walk() for value in operation.outputs]
    return any(isinstance(value.type, TensorType) and value.type.dtype == "fp16" for value in values)


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.outcome == "passed" else "xfailed"
    if report.outcome == "failed" and "[XPASS(strict)]" in str(report.longrepr):
        return "xpassed"
    return report.outcome
