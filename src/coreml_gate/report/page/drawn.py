"""What the page draws of a model: its program's figures, memory, paired times and the time of the gate."""

import math
import re
from collections.abc import Mapping
from typing import Final

from coreml_gate.checks.devices import fit_on
from coreml_gate.devices import that_run
from coreml_gate.foreign.escape import short_name
from coreml_gate.record import MemoryFacts, ModelRecord, TimedMetric, Timing
from coreml_gate.report.page.program import annotated
from coreml_gate.timing import sign_interval
from coreml_gate.wording import MB

_TARGET: Final = re.compile(r"iOS(\d{1,3})")
_GREATEST_LOGARITHM: Final = 100.0
MOST_PAIRS: Final = 2_000
"""Pairs of one time that are drawn; the interval is that of all."""


def drawn(head: ModelRecord, base: ModelRecord | None) -> dict[str, object]:
    """Data for the page's scripts; a part that was not measured is left out."""
    program = annotated(head, base)
    found = {
        "program": None if program is None else program.columns(),
        "memory": _memory(head.memory, None if base is None else base.memory),
        "times": _times(head),
        "devices": _devices(head),
        "phases": [[short_name(phase.step), phase.seconds] for phase in head.phases],
    }
    return {name: part for name, part in found.items() if part}


def _memory(head: MemoryFacts | None, base: MemoryFacts | None) -> dict[str, object] | None:
    if head is None or not head.timeline:
        return None
    return {
        "live": head.timeline,
        "weights": head.weight_bytes,
        "peak": short_name(head.peak_operation),
        "base": [] if base is None else base.timeline,
        "baseWeights": 0 if base is None else base.weight_bytes,
    }


def _times(record: ModelRecord) -> list[Mapping[str, object]]:
    timing = None if record.core_ml is None else record.core_ml.timing
    return [] if timing is None else [_pairs(timed, timing) for timed in timing.metrics]


def _pairs(timed: TimedMetric, timing: Timing) -> dict[str, object]:
    logs = [ratio for group in timed.log_ratios for ratio in group]
    interval = sign_interval(logs, timing.alpha)
    known = math.isfinite(interval.low)
    return {
        "metric": timed.metric,
        "where": timing.units if timing.engine == "core-ml" else "MIL runtime",
        "ratios": [_ratio(each) for each in logs[:MOST_PAIRS]],
        "median": _ratio(interval.median) if logs else None,
        "low": _ratio(interval.low) if known else None,
        "high": _ratio(interval.high) if known else None,
        "baseMs": timed.base_ms,
        "headMs": timed.head_ms,
    }


def _ratio(logarithm: float) -> float:
    """Head by base; a Record that no run wrote may hold a logarithm whose number no float holds."""
    return round(math.exp(min(logarithm, _GREATEST_LOGARITHM)), 4)


def _devices(record: ModelRecord) -> list[list[object]]:
    """Every device that runs the package's deployment target, the one with the least room first."""
    memory, package = record.memory, record.package
    target = None if package is None else _TARGET.fullmatch(package.deployment_target)
    if memory is None or package is None or target is None:
        return []
    fits = [fit_on(device, memory, package, record.cost) for device in that_run(target[1])]
    return [
        [
            fit.device.name,
            fit.device.chip.name,
            fit.status.value,
            round(100 * fit.share, 1),
            round(fit.budget / MB),
            fit.device.app_is_estimated,
            f"{fit.device.oldest_ios} to {fit.device.newest_ios}",
            None if fit.least_ms is None else round(fit.least_ms, 3),
        ]
        for fit in sorted(fits, key=lambda fit: -fit.share)
    ]
