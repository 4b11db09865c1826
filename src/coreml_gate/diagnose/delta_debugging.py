"""Searches the smallest set of operations in float32 that makes a check pass, by delta debugging."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from coreml_gate.wording import counted

Passes = Callable[[frozenset[str]], bool]


class OutOfBudgetError(Exception):
    """The budget of the search is used up."""


@dataclass
class SearchTime:
    """The time limit of a search, counted from its creation."""

    seconds: float
    clock: Callable[[], float] = time.perf_counter
    advance: Callable[[str], None] = lambda _: None
    """Called with what is being tried."""

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def used(self) -> float:
        """Seconds used so far."""
        return self.clock() - self._started

    def check(self) -> None:
        """Raise :class:`OutOfBudgetError` if the time is up."""
        if self.used > self.seconds:
            raise OutOfBudgetError


@dataclass
class DeltaDebugging:
    """Calls ``passes`` with sets of operations, never twice with the same, within a budget."""

    passes: Passes
    max_runs: int
    time: SearchTime
    runs: int = 0
    best: tuple[str, ...] | None = None
    """The smallest set so far that passes."""
    _known: dict[frozenset[str], bool] = field(default_factory=dict)

    def smallest(self, ranked: Sequence[str]) -> tuple[str, ...] | None:
        """A 1-minimal subset of ``ranked`` (most suspicious first) that passes; ``None`` if not even all
        pass.

        :raises OutOfBudgetError: The budget was used up; ``best`` is the result so far.
        """
        if not self._passes_with(ranked):
            return None
        self._prune(tuple(ranked[: self._prefix(ranked)]))
        return self.best

    def _prefix(self, ranked: Sequence[str]) -> int:
        """The shortest passing prefix, by doubling and then bisection."""
        low, high = 0, 1
        while high < len(ranked) and not self._passes_with(ranked[:high]):
            low, high = high, 2 * high
        high = min(high, len(ranked))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._passes_with(ranked[:middle]) else (middle, high)
        return high

    def _prune(self, kept: tuple[str, ...]) -> None:
        """Drop ever smaller chunks while the rest passes, until no single operation can be dropped."""
        size = max(len(kept) // 2, 1)
        while kept:
            rest = self._without_a_chunk(kept, size)
            if rest is not None:
                kept = rest
                size = min(size, max(len(kept), 1))
            elif size == 1:
                return
            else:
                size //= 2

    def _without_a_chunk(self, kept: tuple[str, ...], size: int) -> tuple[str, ...] | None:
        """A smaller passing set without one chunk, trying the least suspicious chunks first."""
        for end in range(len(kept), 0, -size):
            rest = kept[: max(end - size, 0)] + kept[end:]
            if self._passes_with(rest):
                return rest
        return None

    def _passes_with(self, kept: Sequence[str]) -> bool:
        names = frozenset(kept)
        if names not in self._known:
            self.time.check()
            if self.runs >= self.max_runs:
                raise OutOfBudgetError
            self.runs += 1
            self.time.advance(f"trying {counted(len(names), 'operation')} in FP32")
            self._known[names] = self.passes(names)
        if self._known[names] and (self.best is None or len(names) < len(self.best)):
            self.best = tuple(kept)
        return self._known[names]
