"""Times head against base in one fresh process after another, until the question is answered."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from coreml_gate.record import ChildEnding, ComputeUnits, Metric, TimedMetric, Timing
from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS, decide
from coreml_gate.timing.rule import is_settled
from coreml_gate.worker.core_ml import ChildSurroundings, run_job
from coreml_gate.worker.core_ml_job import CoreMlJob, Engine, PackageAsked

MOST_PROCESSES: Final = 2 * LOOKS[-1] // PAIRS_PER_PROCESS
"""Rounds may be dropped; twice the processes that all pairs need is enough."""

Stopped = Literal["decided", "all pairs", "time budget", "process ended"]


@dataclass(frozen=True)
class Match:
    """What is timed against what."""

    base: PackageAsked
    head: PackageAsked
    base_fingerprint: str
    head_fingerprint: str
    expected: Path
    units: ComputeUnits
    engine: Engine = "core-ml"


@dataclass(frozen=True)
class Effort:
    """How much may be spent on it."""

    ratios: Mapping[Metric, float]
    """Measuring stops when it is known on which side of each ratio the head lies."""
    alpha: float
    budget_s: float
    seed: int = 0


_SOURCES: Final[Mapping[Metric, tuple[str, str, str, str, str]]] = {
    "predict": ("predict", "base_ms", "head_ms", "log_ratios", "self_test"),
    "predict-p95": ("predict", "base_p95_ms", "head_p95_ms", "log_ratio_p95", "self_test_p95"),
    "first-predict": ("first", "base_ms", "head_ms", "log_ratio", "self_test"),
    "load": ("load", "base_ms", "head_ms", "log_ratio", "self_test"),
    "compile": ("compile", "base_ms", "head_ms", "log_ratio", "self_test"),
}
"""Where the child reports each metric: the part, and its keys."""


@dataclass
class _Gathered:
    processes: list[dict[str, Any]] = field(default_factory=list)

    def groups(self, part: str, key: str) -> tuple[tuple[float, ...], ...]:
        """A number, or a list of them, of each process that has it."""
        found = (process.get(part, {}).get(key) for process in self.processes)
        return tuple(
            tuple(value) if isinstance(value, list) else (value,) for value in found if value is not None
        )

    def ratios(self, metric: Metric) -> tuple[tuple[float, ...], ...]:
        """The log ratios of a metric, one group per process."""
        part, _, _, key, _ = _SOURCES[metric]
        return self.groups(part, key)


def time_packages(
    match: Match, effort: Effort, folder: Path, around: ChildSurroundings, clock: Callable[[], float]
) -> Timing:
    """Pairs from fresh processes; a process that crashes ends it, with the pairs of those before it."""
    start, gathered = clock(), _Gathered()
    around = _with_time_for(around, effort.budget_s)
    ending: ChildEnding | None = None
    stopped: Stopped = "all pairs"
    while len(gathered.processes) < MOST_PROCESSES:
        begun = clock()
        job = _job(match, effort, folder, len(gathered.processes), around)
        parts, ending = run_job(job, around)
        if ending is not None:
            stopped = "process ended"
            break
        gathered.processes.append(parts)
        if _is_over(gathered, effort):
            stopped = "decided" if _is_decided(gathered, effort) else "all pairs"
            break
        if clock() - start + (clock() - begun) > effort.budget_s:
            stopped = "time budget"
            break
    return _timing(match, effort, gathered, stopped, ending, clock() - start)


def _is_over(gathered: _Gathered, effort: Effort) -> bool:
    """Whether more processes would tell nothing new; of most metrics each process gives one pair only."""
    return all(
        is_settled(gathered.ratios(metric), ratio, effort.alpha) for metric, ratio in effort.ratios.items()
    )


def _is_decided(gathered: _Gathered, effort: Effort) -> bool:
    decisions = (
        decide(gathered.ratios(metric), ratio, effort.alpha) for metric, ratio in effort.ratios.items()
    )
    return all(decision.call != "unsure" for decision in decisions)


def _with_time_for(around: ChildSurroundings, budget_s: float) -> ChildSurroundings:
    """Timing is one long step: a process may take the whole budget for it, and no longer."""
    limits = replace(around.limits, step_s=max(around.limits.step_s, budget_s))
    return replace(around, limits=limits)


def _job(match: Match, effort: Effort, folder: Path, number: int, around: ChildSurroundings) -> CoreMlJob:
    return CoreMlJob(
        kind="time",
        folder=folder / f"process-{number}",
        package=match.head,
        base=match.base,
        units=match.units,
        expected=match.expected,
        engine=match.engine,
        seed=effort.seed + number,
        pairs=PAIRS_PER_PROCESS,
        stand_in=around.stand_in,
    )


def _timing(
    match: Match,
    effort: Effort,
    gathered: _Gathered,
    stopped: Stopped,
    ending: ChildEnding | None,
    seconds: float,
) -> Timing:
    predicts = [process.get("predict", {}) for process in gathered.processes]
    return Timing(
        engine=match.engine,
        units=match.units,
        base_package=match.base_fingerprint,
        head_package=match.head_fingerprint,
        seed=effort.seed,
        alpha=effort.alpha,
        stopped=stopped,
        warm_up=tuple(each["warm_up"] for each in predicts if "warm_up" in each),
        unsettled=sum(not each.get("settled", True) for each in predicts),
        dropped=sum(each.get("dropped", 0) for each in predicts),
        seconds=seconds,
        metrics=tuple(_metrics(gathered)),
        ending=ending,
    )


def _metrics(gathered: _Gathered) -> Sequence[TimedMetric]:
    metrics = []
    for metric, (part, base, head, ratios, self_test) in _SOURCES.items():
        groups = gathered.groups(part, ratios)
        if not groups or not all(math.isfinite(value) for group in groups for value in group):
            continue
        metrics.append(
            TimedMetric(
                metric=metric,
                base_ms=statistics.median(value for (value,) in gathered.groups(part, base)),
                head_ms=statistics.median(value for (value,) in gathered.groups(part, head)),
                log_ratios=groups,
                self_test=gathered.groups(part, self_test),
            )
        )
    return metrics
