"""Times head against base in fresh processes until the question is answered, and measures their memory."""

import math
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from coreml_gate.children.job import DescribedPackage, PackageJob, TimedEngine
from coreml_gate.frozen import changed
from coreml_gate.measurements.core_ml_cold_load import ColdLoad
from coreml_gate.measurements.core_ml_timing import AGAIN, BASE, HEAD, ProcessTimes
from coreml_gate.record import ChildEnding, ComputeUnits, Footprints, Metric, TimedMetric, Timing
from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS, decide
from coreml_gate.timing.rule import is_settled
from coreml_gate.worker.core_ml import predict_on, run_package
from coreml_gate.worker.supervisor import Supervisor

MOST_PROCESSES: Final = 2 * LOOKS[-1] // PAIRS_PER_PROCESS
"""Twice the processes that all pairs need, because rounds may be dropped."""
NAMES: Final = (BASE, HEAD, AGAIN)
CACHES: Final = "caches"
"""Folder of Core ML's caches of the three compiled models, removed after the timing."""
Stopped = Literal["decided", "all pairs", "time budget", "process ended"]
FOOTPRINT_PROCESSES: Final = 3
"""Processes of each package: by chance alone, all of the head's are above all of the base's once in 20."""


@dataclass(frozen=True)
class PackagePair:
    """The two packages to time."""

    base: DescribedPackage
    head: DescribedPackage
    base_fingerprint: str
    head_fingerprint: str
    reference: Path
    units: ComputeUnits
    engine: TimedEngine = "core-ml"


@dataclass(frozen=True)
class TimingBudget:
    """How much time may be spent, and on which questions."""

    ratios: Mapping[Metric, float]
    """Measuring stops once it is known on which side of each ratio the head is."""
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
"""Where :class:`ProcessTimes` has each metric: part and fields."""


@dataclass
class _Gathered:
    processes: list[ProcessTimes] = field(default_factory=list)

    def groups(self, part: str, name: str) -> tuple[tuple[float, ...], ...]:
        """The numbers of each process that has any."""
        parts = (getattr(process, part) for process in self.processes)
        found = (None if each is None else getattr(each, name) for each in parts)
        lists = (value if isinstance(value, tuple) else (value,) for value in found if value is not None)
        return tuple(values for values in lists if values)

    def median(self, part: str, name: str) -> float | None:
        """The median over the processes of a number that each has once; ``None`` if none has it."""
        found = [value for (value,) in self.groups(part, name)]
        return statistics.median(found) if found else None

    def ratios(self, metric: Metric) -> tuple[tuple[float, ...], ...]:
        """The log ratios of a metric, one group per process."""
        part, _, _, name, _ = _SOURCES[metric]
        return self.groups(part, name)


def time_packages(
    pair: PackagePair, budget: TimingBudget, folder: Path, supervisor: Supervisor, clock: Callable[[], float]
) -> Timing:
    """Pairs from fresh processes; a process that crashes ends it, with the pairs of those before it.

    Each package is compiled and loaded once before, so that every process that times loads it warm: the
    first load can take minutes on the Neural Engine, and is a metric of its own.
    """
    try:
        return _time(pair, budget, folder, supervisor, clock)
    finally:
        for part in (CACHES, *NAMES):
            shutil.rmtree(folder / part, ignore_errors=True)


def _time(
    pair: PackagePair, budget: TimingBudget, folder: Path, supervisor: Supervisor, clock: Callable[[], float]
) -> Timing:
    cold, ending = _cold_loads(pair, folder, supervisor) if pair.engine == "core-ml" else ({}, None)
    start, gathered = clock(), _Gathered()
    if ending is not None:
        return _timing(pair, budget, gathered, "process ended", ending, 0.0, cold)
    supervisor = _with_time_for(supervisor, budget.budget_s)
    stopped: Stopped = "all pairs"
    while len(gathered.processes) < MOST_PROCESSES:
        begun = clock()
        job = _job(pair, budget, folder, len(gathered.processes), supervisor)
        job = changed(job, compiled={name: each.compiled for name, each in cold.items()})
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
    return _timing(pair, budget, gathered, stopped, ending, clock() - start, cold)


def _cold_loads(
    pair: PackagePair, folder: Path, supervisor: Supervisor
) -> tuple[dict[str, ColdLoad], ChildEnding | None]:
    """Each package under a path of its own, loaded once in a process of its own, into the same new caches.

    Base and head are other programs under other paths, so neither warms the other whichever of the two
    Core ML goes by. The base's second copy has a path of its own for the same reason.
    """
    found: dict[str, ColdLoad] = {}
    for name, package in zip(NAMES, (pair.base, pair.head, pair.base), strict=True):
        job = PackageJob(
            only=("core-ml-cold-load",),
            folder=folder / name,
            package=package,
            units=pair.units,
            home=folder / CACHES,
            stand_in=supervisor.stand_in,
        )
        report = run_package(job, supervisor)
        load = report.events.parts.get(ColdLoad)
        if report.failure is not None or load is None:
            return found, _of(name, report.failure)
        found[name] = load
    return found, None


def _is_over(gathered: _Gathered, budget: TimingBudget) -> bool:
    """Whether more processes would add nothing; for most metrics each process gives only one pair."""
    return all(
        is_settled(gathered.ratios(metric), ratio, budget.alpha) for metric, ratio in budget.ratios.items()
    )


def _is_decided(gathered: _Gathered, budget: TimingBudget) -> bool:
    decisions = (
        decide(gathered.ratios(metric), ratio, budget.alpha) for metric, ratio in budget.ratios.items()
    )
    return all(decision.call != "unsure" for decision in decisions)


def _with_time_for(supervisor: Supervisor, budget_s: float) -> Supervisor:
    """The supervisor with a deadline of at least the budget, because timing is one long step."""
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
        home=folder / CACHES,
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
    cold: Mapping[str, ColdLoad],
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
        metrics=(*_metrics(gathered), *_cold_metric(cold)),
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
                base_wall_ms=gathered.median(part, "base_wall_ms") if metric == "predict" else None,
                head_wall_ms=gathered.median(part, "head_wall_ms") if metric == "predict" else None,
            )
        )
    return metrics


def _cold_metric(cold: Mapping[str, ColdLoad]) -> Sequence[TimedMetric]:
    """A single pair, which is shown but never judged: repeating it would take minutes each time."""
    if not {BASE, HEAD} <= cold.keys():
        return ()
    base, head = cold[BASE].load_ms, cold[HEAD].load_ms
    ratio = math.log(max(head, 1e-6) / max(base, 1e-6))
    return (TimedMetric(metric="cold-load", base_ms=base, head_ms=head, log_ratios=((ratio,),)),)


def measure_footprints(pair: PackagePair, folder: Path, supervisor: Supervisor) -> Footprints:
    """The peak footprints of both, from processes that take turns, until one ends early."""
    peaks: dict[str, list[int]] = {"base": [], "head": []}
    for number in range(FOOTPRINT_PROCESSES):
        for name, package in (("base", pair.base), ("head", pair.head)):
            place = folder / f"{name}-{number}"
            (only,) = predict_on(package, pair.reference, (pair.units,), place, supervisor)
            if only.ending is not None or only.peak_bytes is None:
                return _footprints(pair, peaks, _of(name, only.ending))
            peaks[name].append(only.peak_bytes)
    return _footprints(pair, peaks)


def _of(name: str, ending: ChildEnding | None) -> ChildEnding | None:
    """The ending with the package that the process had: that of the base is no fault of the head."""
    return None if ending is None else changed(ending, phase=f"{ending.phase}-{name}")


def _footprints(
    pair: PackagePair, peaks: Mapping[str, Sequence[int]], ending: ChildEnding | None = None
) -> Footprints:
    return Footprints(
        units=pair.units, base_bytes=tuple(peaks["base"]), head_bytes=tuple(peaks["head"]), ending=ending
    )
