"""How honest is the rule on times as Core ML's own clock gives them? Simulated: no Mac was measured.

    python benchmarks/timing/simulate.py

What is simulated, each part by itself and all of them together: the clock counts ticks of 24 MHz
(``mach_absolute_time`` on Apple silicon); Python's work around a prediction is as long as the prediction and
only in the wall's time; a hosted virtual machine stalls in bursts; a Mac without a fan slows down by 40 % and
recovers; and what a process decides at its start makes head and base differ by a percent or two.
"""

import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from bench import OTHERS, Outcome, Stream, pairs_of_medians, share

from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS, decide
from coreml_gate.timing.self_test import judge_self_test

TRIALS = 1000
CALLS = 120_000
OWN_S = 1.2e-3
TICK_S = 1 / 24e6
LIMIT = 1.05
Array = np.ndarray


@dataclass(frozen=True)
class Mac:
    """One kind of machine: what its noise is made of."""

    name: str
    spread: float = 0.02
    stalls: float = 0.0
    """Share of calls that a burst of the host disturbs."""
    drift: float = 0.0
    """How much slower it gets when it is hot."""
    process: float = 0.0
    """Standard deviation of what a process decides, as ln(head / base)."""
    overhead: float = 0.0
    """Python's share on top, as a multiple of the prediction; 0 with Core ML's own clock."""


MACS = (
    Mac("quiet Mac, own clock"),
    Mac("quiet Mac, wall clock", overhead=1.0),
    Mac("process effects of 1 %", process=0.01),
    Mac("thermal drift of 40 %", drift=0.4),
    Mac("hosted VM", spread=0.15, stalls=0.08),
    Mac("hosted VM, drift, process effects of 2 %", spread=0.15, stalls=0.08, drift=0.4, process=0.02),
)


def times_of(mac: Mac, seed: int) -> Array:
    """Seconds of one call after another."""
    draw = np.random.default_rng(seed)
    own = OWN_S * np.exp(draw.normal(0, mac.spread, CALLS))
    own *= 1 + mac.drift * (0.5 - 0.5 * np.cos(np.linspace(0, 6 * math.pi, CALLS)))
    bursts = np.repeat(draw.random(CALLS // 50) < mac.stalls, 50)
    own[bursts] *= 1 + draw.exponential(2.0, int(bursts.sum()))
    overhead = mac.overhead * OWN_S * np.exp(draw.normal(0, 0.25, CALLS))
    return np.round((own + overhead) / TICK_S) * TICK_S


def seen_ratio(mac: Mac, ratio: float) -> float:
    """What a change of the prediction is of the time that is taken."""
    return (ratio + mac.overhead) / (1 + mac.overhead)


def judged(mac: Mac, stream: Stream, ratio: float, seed: int) -> tuple[Outcome, float]:
    """The rule of coreml_gate.timing, and the median of the smallest change that it reports."""
    draw = random.Random(seed)
    decisions, visible, early = [], [], 0
    for _ in range(TRIALS):
        base, head = pairs_of_medians(stream, LOOKS[-1], draw)
        again, other = pairs_of_medians(stream, LOOKS[-1], draw)
        groups = _groups(np.log(head / base * ratio), mac, draw)
        decisions.append(decide(groups, LIMIT))
        visible.append(judge_self_test(_groups(np.log(other / again), mac, draw)).smallest_change)
        early += decide(groups[: LOOKS[-2] // PAIRS_PER_PROCESS], LIMIT).call == "slower"
    slower = [each for each in decisions if each.call == "slower"]
    outcome = Outcome(
        slower=len(slower) / TRIALS,
        beyond=sum(each.beyond_limit for each in slower) / TRIALS,
        not_slower=sum(each.call == "not slower" for each in decisions) / TRIALS,
        pairs=statistics.fmean(each.pairs for each in decisions),
        within_150=early / TRIALS,
    )
    return outcome, statistics.median(visible)


def _groups(log_ratios: Array, mac: Mac, draw: random.Random) -> list[list[float]]:
    groups = log_ratios.reshape(-1, PAIRS_PER_PROCESS)
    offsets = [[draw.gauss(0, mac.process)] for _ in groups]
    return (groups + np.array(offsets)).tolist()


def lines() -> Iterator[str]:
    streams = {mac: Stream.of(mac.name, times_of(mac, seed=7)) for mac in MACS}
    yield "| rule | design | " + " | ".join(f"{mac.name}: 0 % / +5 %" for mac in MACS) + " |"
    yield "|---|---|" + "---|" * len(MACS)
    for rule, name, design, judge, count in OTHERS:
        if name == "stored times":
            continue
        cells = [
            " / ".join(
                f"{share(streams[mac], design, judge, count, seen_ratio(mac, r)):.1%}" for r in (1.0, 1.05)
            )
            for mac in MACS
        ]
        yield f"| {rule} | {name} | " + " | ".join(cells) + " |"
    yield "| Mac | true change | slower | past the limit | not slower | unsure | mean pairs | smallest seen |"
    yield "|---|---|---|---|---|---|---|---|"
    for mac in MACS:
        for ratio in (1.0, 1.05, 1.08):
            it, visible = judged(mac, streams[mac], seen_ratio(mac, ratio), seed=1)
            unsure = max(0.0, 1 - it.slower - it.not_slower)
            shares = (it.slower, it.beyond, it.not_slower, unsure)
            cells = " | ".join(f"{each:.1%}" for each in shares)
            yield f"| {mac.name} | {ratio - 1:+.0%} | {cells} | {it.pairs:.0f} | {visible:.1%} |"


def main() -> None:
    for line in lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
