"""Does Core ML run the head slower than the baseline by more than is allowed?

Both packages are timed as pairs in the same processes of one Mac (docs/timing.md), so a verdict never depends
on a time from another machine. Times of our runtime say nothing about a phone and are never judged.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence, skipped, status_of_loss
from coreml_gate.config.limits import LatencyLimits
from coreml_gate.criteria import Violation, excess_growth
from coreml_gate.record import ChildEnding, Machine, Metric, ModelRecord, TimedMetric, Timing
from coreml_gate.timing import ALPHA, Decision, decide
from coreml_gate.timing.interval import holm
from coreml_gate.timing.self_test import SelfTest, judge_self_test
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import apart, counted, growth, number, passing_maximum, percent

NAME: Final = "latency"

_KEYS: Final[Mapping[Metric, str]] = {
    "predict": "max-ratio",
    "predict-p95": "p95-max-ratio",
    "first-predict": "first-predict-max-ratio",
    "load": "load-max-ratio",
    "compile": "compile-max-ratio",
}
"""The limit of each metric."""


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in ms per metric with a limit; the details of the first list the other metrics."""
    facts, ratios = evidence.head.core_ml, ratios_of(evidence.limits.latency)
    timing = None if facts is None else facts.timing
    if facts is None or timing is None:
        return (skipped(NAME, "predict", evidence.without_core_ml if facts is None else facts.untimed),)
    if reason := _not_judged(timing, ratios):
        return (skipped(NAME, "predict", reason),)
    return tuple(_finding(metric, ratio, timing, facts.machine, evidence) for metric, ratio in ratios.items())


def _not_judged(timing: Timing, ratios: Mapping[Metric, float]) -> str:
    """Why these times are not judged (not Core ML's, or without a limit), or empty."""
    if timing.engine != "core-ml":
        return "the MIL runtime was timed, whose times are not a phone's."
    return "" if ratios else "no limit is set (`limits.latency`)."


def ratios_of(limits: LatencyLimits) -> dict[Metric, float]:
    """The maximum ratio of each metric with a limit."""
    ratios: dict[Metric, float | None] = {
        "predict": limits.max_ratio,
        "predict-p95": limits.p95_max_ratio,
        "first-predict": limits.first_predict_max_ratio,
        "load": limits.load_max_ratio,
        "compile": limits.compile_max_ratio,
    }
    return {metric: ratio for metric, ratio in ratios.items() if ratio is not None}


def adjusted_p_values(
    models: Sequence[tuple[ModelRecord, LatencyLimits]],
) -> dict[str, dict[Metric, float]]:
    """The p-value of "no slower" by model and metric, corrected for all of them (Holm)."""
    timed_metrics = [
        (model.name, metric, decide(timed.log_ratios, ratio).p_value)
        for model, limits in models
        if model.core_ml is not None and model.core_ml.timing is not None
        for metric, ratio in ratios_of(limits).items()
        if (timed := model.core_ml.timing.of(metric)) is not None
    ]
    adjusted: dict[str, dict[Metric, float]] = {}
    for (name, metric, _), p_value in zip(
        timed_metrics, holm([each[2] for each in timed_metrics]), strict=True
    ):
        adjusted.setdefault(name, {})[metric] = p_value
    return adjusted


def _finding(
    metric: Metric, max_ratio: float, timing: Timing, machine: Machine, evidence: Evidence
) -> Finding:
    timed = timing.of(metric)
    if timed is None:
        return _untimed(metric, timing, machine)
    decision = _decide(metric, timed, max_ratio, timing, evidence)
    self_test = judge_self_test(timed.self_test, timing.alpha)
    lost = None if _is_slower(decision, self_test) else timing.ending
    status = _status(decision, self_test) if lost is None else _status_of_loss(lost, timing, machine)
    first = metric == next(iter(ratios_of(evidence.limits.latency)))
    return Finding(
        check=NAME,
        status=status,
        subject=_subject(metric, machine),
        message=(
            f"{metric} of {_who(timing, machine)}: {_words(decision, timed, max_ratio)}"
            f"{_meaning(metric, max_ratio, status, decision, self_test, lost)}"
        ),
        value=timed.head_ms,
        base=timed.base_ms,
        limit=timed.base_ms * max_ratio,
        unit="ms",
        hint="" if status is Status.PASS else _hint(status, lost),
        details=(
            *(() if timing.ending is None else timing.ending.log_tail),
            *_details(timing, machine, self_test),
            *(_others(timing) if first else ()),
        ),
    )


def _subject(metric: Metric, machine: Machine) -> str:
    """The metric; the stand-in is named in every row."""
    return f"{metric} (stand-in)" if machine.stand_in else metric


def _who(timing: Timing, machine: Machine) -> str:
    not_it = f" ({machine.stand_in}: no time of Core ML)" if machine.stand_in else ""
    return f"{machine.engine} on {timing.units}{not_it}"


def _untimed(metric: Metric, timing: Timing, machine: Machine) -> Finding:
    ending = timing.ending
    reason = "it was not timed."
    if ending is not None:
        reason = f"{ending.clause('the timing process')}."
    return Finding(
        check=NAME,
        status=Status.UNSURE if ending is None else _status_of_loss(ending, timing, machine),
        subject=_subject(metric, machine),
        message=f"{metric} of {_who(timing, machine)}: {reason}",
        hint=_way_out(ending),
        details=() if ending is None else ending.log_tail,
    )


def _way_out(ending: ChildEnding | None) -> str:
    if ending is None:
        return "`coreml-gate doctor` checks this Mac."
    if ending.how == "timed-out" and ending.phase.startswith("load"):
        return "raise `core-ml-timeout-s` in [gate]: a first load on the Neural Engine can take minutes."
    if ending.how == "timed-out":
        return "raise `core-ml-timeout-s` in [gate] if the predictions normally take that long."
    return "the details show the last lines of the child's output; `coreml-gate doctor` checks this Mac."


def _decide(
    metric: Metric, timed: TimedMetric, max_ratio: float, timing: Timing, evidence: Evidence
) -> Decision:
    """The decision at the error rate that stopped the timing; "slower" must also hold for the whole family's.

    Holm's correction, which is sharper, may still turn an unsure result into "slower".
    """
    stopped = decide(timed.log_ratios, max_ratio, timing.alpha)
    if stopped.call == "not slower":
        return stopped
    shared = decide(timed.log_ratios, max_ratio, min(timing.alpha, evidence.family_alpha))
    if shared.call != "unsure":
        return shared
    alone = decide(timed.log_ratios, max_ratio)
    p_value = evidence.p_values.get(metric, 1.0)
    return alone if alone.call == "slower" and p_value <= ALPHA / 2 else shared


def _status(decision: Decision, self_test: SelfTest) -> Status:
    if decision.call == "unsure" or not self_test.is_sound:
        return Status.UNSURE
    if decision.call == "slower":
        return Status.FAIL if decision.beyond_limit else Status.WARN
    return Status.PASS


def _is_slower(decision: Decision, self_test: SelfTest) -> bool:
    """What is slower beyond the limit is so whatever became of a later process."""
    return self_test.is_sound and decision.call == "slower" and decision.beyond_limit


def _status_of_loss(ending: ChildEnding, timing: Timing, machine: Machine) -> Status:
    """Three packages are loaded at once to be timed: where they do not fit, no package is at fault."""
    for_room = ending.how == "out-of-memory" or (ending.how == "failed" and ending.phase.startswith("load"))
    return Status.UNSURE if for_room else status_of_loss(ending, timing.units, machine)


def _words(decision: Decision, timed: TimedMetric, max_ratio: float) -> str:
    interval = decision.interval
    bounds = "no interval from so few"
    if math.isfinite(interval.low):
        bounds = f"interval {number(math.exp(interval.low), 4)} to {number(math.exp(interval.high), 4)}"
    shown, allowed = apart(math.exp(interval.median), max_ratio, digits=4)
    return (
        f"{shown} times the baseline's {number(timed.base_ms)} ms ({bounds}, "
        f"{counted(decision.pairs, 'pair')} from {counted(decision.processes, 'fresh start')}), allowed "
        f"{allowed} times"
    )


def _meaning(
    metric: Metric,
    max_ratio: float,
    status: Status,
    decision: Decision,
    self_test: SelfTest,
    lost: ChildEnding | None,
) -> str:
    if lost is not None:
        return f": not decided, because {lost.clause('a later timing process')}."
    if status is Status.FAIL:
        ratio = math.exp(decision.interval.median)
        passing = f"{_KEYS[metric]} = {passing_maximum(ratio, 3)}"
        return f": slower.{Violation('', passing, excess=excess_growth(ratio, max_ratio)).remedy}"
    if status is Status.WARN:
        return ": slower, close to the limit."
    if status is Status.PASS:
        return ": slower, within the limit." if decision.interval.low > 0 else ": not slower."
    if not self_test.is_sound:
        return ": unsure, because the baseline differs from a second copy of itself on this machine."
    return f": unsure, because this machine can see changes {_visible(self_test)}."


def _visible(self_test: SelfTest) -> str:
    if not math.isfinite(self_test.smallest_change):
        return "only with more pairs"
    return f"from {percent(self_test.smallest_change)} on"


def _hint(status: Status, lost: ChildEnding | None) -> str:
    if lost is not None:
        return _way_out(lost)
    if status is Status.UNSURE:
        return "time on a quieter Mac, or raise `time-budget-s` in [gate]."
    return "look at the cost and the placement of the changed operations."


def _details(timing: Timing, machine: Machine, self_test: SelfTest) -> tuple[str, ...]:
    virtual = ", a virtual machine: only the ratio is valid" if machine.virtual else ""
    where = f"{machine.chip}, {machine.model}, {machine.system}{virtual}"
    dropped = f"{timing.dropped} rounds dropped, {timing.unsettled} processes never settled"
    return (
        f"self-test: the base against itself shows changes {_visible(self_test)}",
        f"machine: {where}; thermal state {machine.thermal_state}",
        f"stopped by: {timing.stopped}; seed {timing.seed}; {dropped}",
    )


def _others(timing: Timing) -> tuple[str, ...]:
    times = tuple(
        f"{timed.metric}: {number(timed.head_ms)} ms, {number(timed.base_ms)} ms in the baseline"
        for timed in timing.metrics
    )
    walls = tuple(
        f"{timed.metric} including Python around Core ML: {number(timed.head_wall_ms)} ms, "
        f"{number(timed.base_wall_ms)} ms in the baseline"
        for timed in timing.metrics
        if timed.head_wall_ms is not None and timed.base_wall_ms is not None
    )
    return (*times, *walls)


CHECK: Final = Check(
    NAME,
    "Is the package slower than the baseline on Core ML?",
    run,
    limit=f"{growth(LatencyLimits().max_ratio or 1)} slower than base, in pairs",
    why="Core ML runs the head slower than the base by more than the limit, measured in pairs on the same "
    "Mac.",
    fix=(
        "`structure` shows what changed in the program, and `placement` which operations left the Neural "
        "Engine."
    ),
    accept="`limits.latency.max-ratio` sets how much slower it may be.",
    page="docs/timing.md",
    needs="Mac",
    column=Column(
        "Latency",
        "engine",
        "milliseconds of each limited time, on this machine only; the verdict compares pairs "
        "([timing.md](timing.md))",
        figures.percent_change,
        figures.milliseconds,
        by_subject=True,
    ),
)
