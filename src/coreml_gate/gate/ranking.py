"""Ranks the packages of a model by several goals: a pure function of what was measured."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate.config import ModelConfig
from coreml_gate.frozen import changed
from coreml_gate.gate.latency_by_package import Speeds, speeds_of
from coreml_gate.gate.packages_compared import candidates, deciding_metric, higher_is_better
from coreml_gate.record import Environment, ModelRecord
from coreml_gate.verdict import Candidate, Ranking
from coreml_gate.wording import joined, megabytes, number

Value = float | None
ESTIMATED: Final = (
    "~ is an estimated cost, not a time: multiply-accumulates and bytes moved, counted on the program."
)
ORDERS_DIFFER: Final = (
    "the order of packages on a Mac, or by cost, may differ from that on a phone: time them on the oldest "
    "phone that you support (`coreml-gate device`) before you choose by speed."
)

OTHER_PHONES: Final = "the order may differ on another phone."


@dataclass(frozen=True)
class Goal:
    """A criterion by which packages are compared; less is better."""

    name: str
    value: Callable[[Candidate], Value]
    show: Callable[[Candidate], str]


def rank(config: ModelConfig, measured: ModelRecord, environment: Environment) -> Ranking | None:
    """The model's packages side by side, or ``None`` if it has no variants."""
    if not measured.variants:
        return None
    speeds = speeds_of(measured)
    found = tuple(candidates(config, measured, environment, speeds))
    metric = deciding_metric(config, measured)
    higher = higher_is_better(config, metric)
    eligible = [candidate for candidate in found if candidate.eligible == "yes"]
    goals = _goals(eligible, metric, higher=higher)
    front = {candidate.name for candidate in pareto_front(eligible, goals)}
    timed = bool(eligible) and all(candidate.latency_ms is not None for candidate in eligible)
    return Ranking(
        candidates=tuple(changed(each, on_front=each.name in front) for each in found),
        metric=metric,
        higher_is_better=higher,
        choice=choice(eligible, goals),
        measured_on=speeds.place if timed else "",
        notes=_notes(speeds) if timed else (ESTIMATED, ORDERS_DIFFER),
    )


def _notes(speeds: Speeds) -> tuple[str, ...]:
    where = f"ms: the median prediction on {speeds.place}."
    return (where, OTHER_PHONES) if speeds.on_phone else (where, ORDERS_DIFFER)


def pareto_front(eligible: Sequence[Candidate], goals: Sequence[Goal]) -> list[Candidate]:
    """Candidates that no other one dominates; goals with an unknown value are ignored."""
    known = [goal for goal in goals if all(goal.value(each) is not None for each in eligible)]
    points = {each.name: tuple(goal.value(each) or 0.0 for goal in known) for each in eligible}
    return [
        each
        for each in eligible
        if not any(_dominates(other, points[each.name]) for other in points.values())
    ]


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(left <= right for left, right in zip(one, other, strict=True))


def choice(eligible: Sequence[Candidate], goals: Sequence[Goal]) -> str:
    """One sentence that names the best package for each goal; the smaller one among equals."""
    if not eligible:
        return "No package is eligible."
    best: dict[str, list[str]] = {}
    for goal in goals:
        known = [each for each in eligible if goal.value(each) is not None]
        if known:
            winner = min(known, key=lambda each: (goal.value(each), each.size_bytes or math.inf))
            best.setdefault(winner.name, []).append(f"{goal.name} ({goal.show(winner)})")
    return "Best choice: " + "; ".join(f"`{name}` for {joined(why)}" for name, why in best.items()) + "."


def _goals(eligible: Sequence[Candidate], metric: str, *, higher: bool) -> tuple[Goal, ...]:
    """Speed (latency if all were timed, else cost), size, memory, and quality (the metric, else PSNR)."""
    if eligible and all(each.latency_ms is not None for each in eligible):
        speed = [Goal("speed", lambda each: each.latency_ms, lambda each: f"{each.latency_ms:.3g} ms")]
    else:
        speed = [
            Goal("compute", lambda each: each.macs, lambda each: f"~{(each.macs or 0) / 1e6:.3g} MMAC"),
            Goal("traffic", lambda each: each.moved_bytes, lambda each: f"~{_megabytes(each.moved_bytes)}"),
        ]
    sign = -1 if higher else 1
    quality = (
        Goal(metric, lambda each: _signed(each.metric, sign), lambda each: number(each.metric or 0.0, 6))
        if metric
        else Goal("PSNR", lambda each: -_psnr(each), _decibels)
    )
    return (
        *speed,
        Goal("size", lambda each: each.size_bytes, lambda each: _megabytes(each.size_bytes)),
        Goal("memory", lambda each: each.memory_bytes, lambda each: _megabytes(each.memory_bytes)),
        quality,
    )


def _signed(value: Value, sign: int) -> Value:
    return None if value is None else sign * value


def _psnr(candidate: Candidate) -> float:
    """Infinite for an exact package."""
    return math.inf if candidate.psnr is None else candidate.psnr


def _decibels(candidate: Candidate) -> str:
    return "exact" if candidate.psnr is None else f"{candidate.psnr:.1f} dB"


def _megabytes(size: int | None) -> str:
    return megabytes(size or 0)
