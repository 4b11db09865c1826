"""The clock of a child's deadlines in the hands of a test: no load of the machine moves it."""

import time
from collections.abc import Callable

import pytest

from coreml_gate.children import process


class Clock:
    """Stands still until a test moves it; who sleeps does sleep."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self._end = time.monotonic() + 600
        monkeypatch.setattr(process, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert time.monotonic() < self._end, "the child waits for what does not come"
        time.sleep(seconds)

    def pass_any_deadline(self) -> None:
        self.now += 1e6

    def at(self, last: str) -> Callable[[str], None]:
        """A hook: whatever is allowed has passed as soon as that step begins."""
        return lambda step: self.pass_any_deadline() if step == last else None
