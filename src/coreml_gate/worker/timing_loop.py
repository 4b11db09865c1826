"""Times head against base in one fresh process after another, until the question is answered."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from coreml_gate.children.job import PackageAsked, PackageJob, TimedEngine
from coreml_gate.measurements.core_ml_timing import ProcessTimes
from coreml_gate.record import ChildEnding, ComputeUnits, Metric, TimedMetric, Timing
from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS, decide
from coreml_gate.timing.rule import is_settled
from coreml_gate.worker.core_ml import run_package
from coreml_gate.worker.supervisor import Supervisor

MOST_PROCESSES: Final = 2 * LOOKS[-1] // PAIRS_PER_PROCESS
"""Rounds may be dropped; twice the processes that all pairs need is enough."""

Stopped = Literal["decided", "all pairs", "time budget", "process ended"]


@dataclass(frozen=True)
class PackagePair:
    """What is timed against what."""

    base: PackageAsked
    head: PackageAsked
    base_fingerprint: str
    head_fingerprint: str
    reference: Path
    units: ComputeUnits
    engine: TimedEngine = "core-ml"


@dataclass(frozen=True)
class TimingBudget:
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
"""Where :class:`ProcessTimes` has each metric: the part, and its fields."""


@dataclass
class _Gathered:
    processes: list[ProcessTimes] = field(default_factory=list)

    def groups(self, part: str, name: str) -> tuple[tuple[float, ...], ...]:
        """A number, or several, of each process that has it."""
        parts = (getattr(process, part) for process in self.processes)
        found = (None if each is None else getattr(each, name) for each in parts)
        lists = (value if isinstance(value, tuple) else (value,) for value in found if value is not None)
        return tuple(values for values in lists if values)

    def ratios(self, metric: Metric) -> tuple[tuple[float, ...], ...]:
        """The log ratios of a metric, one group per process."""
        part, _, _, name, _ = _SOURCES[metric]
        return self.groups(part, name)


def time_packages(
    pair: PackagePair, budget: TimingBudget, folder: Path, supervisor: Supervisor, clock: Callable[[], float]
) -> Timing:
    """Pairs from fresh processes; a process that crashes ends it, with the pairs of those before it."""
    start, gathered = clock(), _Gathered()
    supervisor = _with_time_for(supervisor, budget.budget_s)
    ending: ChildEnding | None = None
    stopped: Stopped = "all pairs"
    while len(gathered.processes) < MOST_PROCESSES:
        begun = clock()
        job = _job(pair, budget, folder, len(gathered.processes), supervisor)
        report = run_package(job, supervisor)
        ending = report.failure
        if ending is not None:
            stopped = "process ended"
            break
        gathered.processes.append(report.events.parts.get(ProcessTimes) or ProcessTimes())
        if _is_over(gathered, budget):
            stopped = "decided" if _is_decided(gathered, budget) else "all pairs"
            break
        if clock() - start + (clock() - begun) > budget.budget_s:
            stopped = "time budget"
            break
    return _timing(pair, budget, gathered, stopped, ending, clock() - start)


def _is_over(gathered: _Gathered, budget: TimingBudget) -> bool:
    """Whether more processes would tell nothing new; of most metrics each process gives one pair only."""
    return all(
        is_settled(gathered.ratios(metric), ratio, budget.alpha) for metric, ratio in budget.ratios.items()
    )


def _is_decided(gathered: _Gathered, budget: TimingBudget) -> bool:
    decisions = (
        decide(gathered.ratios(metric), ratio, budget.alpha) for metric, ratio in budget.ratios.items()
    )
    return all(decision.call != "unsure" for decision in decisions)


def _with_time_for(supervisor: Supervisor, budget_s: float) -> Supervisor:
    """Timing is one long step: a process may take the whole budget for it, and no longer."""
    limits = replace(supervisor.limits, step_s=max(supervisor.limits.step_s, budget_s))
    return replace(supervisor, limits=limits)


def _job(
    pair: PackagePair, budget: TimingBudget, folder: Path, number: int, supervisor: Supervisor
) -> PackageJob:
    return PackageJob(
        only=("core-ml-timing",),
        folder=folder / f"process-{number}",
        package=pair.head,
        base=pair.base,
        units=pair.units,
        reference=pair.reference,
        engine=pair.engine,
        seed=budget.seed + number,
        pairs=PAIRS_PER_PROCESS,
        stand_in=supervisor.stand_in,
    )


def _timing(
    pair: PackagePair,
    budget: TimingBudget,
    gathered: _Gathered,
    stopped: Stopped,
    ending: ChildEnding | None,
    seconds: float,
) -> Timing:
    predicts = [each.predict for each in gathered.processes if each.predict is not None]
    return Timing(
        engine=pair.engine,
        units=pair.units,
        base_package=pair.base_fingerprint,
        head_package=pair.head_fingerprint,
        seed=budget.seed,
        alpha=budget.alpha,
        stopped=stopped,
        warm_up=tuple(each.warm_up for each in predicts),
        unsettled=sum(not each.settled for each in predicts),
        dropped=sum(each.dropped for each in predicts),
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
