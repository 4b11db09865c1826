"""The smallest set of operations whose float32 makes a check pass: by prefix first, then delta debugging."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from coreml_gate.wording import counted

Passes = Callable[[frozenset[str]], bool]


class OutOfBudgetError(Exception):
    """The search may run no further."""


@dataclass
class SearchTime:
    """How long a search may take, counted from now on."""

    seconds: float
    clock: Callable[[], float] = time.perf_counter
    advance: Callable[[str], None] = lambda _: None
    """Called with what is tried."""

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def used(self) -> float:
        """Seconds so far."""
        return self.clock() - self._started

    def check(self) -> None:
        """Raises :class:`OutOfBudgetError` when the time is over."""
        if self.used > self.seconds:
            raise OutOfBudgetError

    def reporting(self, passes: Passes) -> Passes:
        """The same, and each set that is tried is reported."""

        def reported(kept: frozenset[str]) -> bool:
            self.advance(f"trying {counted(len(kept), 'operation')} in FP32")
            return passes(kept)

        return reported


@dataclass
class DeltaDebugging:
    """Calls ``passes`` with sets of operations, none of them twice, within a budget of runs and seconds."""

    passes: Passes
    max_runs: int
    max_seconds: float
    clock: Callable[[], float] = time.perf_counter
    runs: int = 0
    best: tuple[str, ...] | None = None
    """The smallest set so far that passes."""
    _known: dict[frozenset[str], bool] = field(default_factory=dict)
    _until: float = 0.0

    def smallest(self, ranked: Sequence[str]) -> tuple[str, ...] | None:
        """A 1-minimal subset of ``ranked`` (most suspicious first) that passes, or ``None``: not even all do.

        :raises OutOfBudgetError: The budget ended it; ``best`` is what was found until then.
        """
        self._until = self.clock() + self.max_seconds
        if not self._passes_with(ranked):
            return None
        self._prune(tuple(ranked[: self._prefix(ranked)]))
        return self.best

    def _prefix(self, ranked: Sequence[str]) -> int:
        """The shortest prefix that passes, by doubling and then bisection."""
        low, high = 0, 1
        while high < len(ranked) and not self._passes_with(ranked[:high]):
            low, high = high, 2 * high
        high = min(high, len(ranked))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._passes_with(ranked[:middle]) else (middle, high)
        return high

    def _prune(self, kept: tuple[str, ...]) -> None:
        """Drops ever smaller chunks while the rest passes, until no single operation can be dropped."""
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
        """From the least suspicious end on; the last one left is tried as well."""
        for end in range(len(kept), 0, -size):
            rest = kept[: max(end - size, 0)] + kept[end:]
            if self._passes_with(rest):
                return rest
        return None

    def _passes_with(self, kept: Sequence[str]) -> bool:
        names = frozenset(kept)
        if names not in self._known:
            if self.runs >= self.max_runs or self.clock() > self._until:
                raise OutOfBudgetError
            self.runs += 1
            self._known[names] = self.passes(names)
        if self._known[names] and (self.best is None or len(names) < len(self.best)):
            self.best = tuple(kept)
        return self._known[names]
