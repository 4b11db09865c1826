"""How often does a rule blame a change that is none, and how often does it find one of 5 %?

    python benchmarks/timing/record.py /tmp/streams.npz    # 4 minutes of real times of this machine
    python benchmarks/timing/bench.py /tmp/streams.npz

Each trial cuts a window out of one stream of times of one and the same call, hands the calls to base and head
in the order in which a design would have made them, and multiplies those of the head by the true ratio.
"""

import random
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from coreml_gate.timing import LOOKS, PAIRS_PER_PROCESS, decide
from coreml_gate.timing.rounds import calls_per_sample

TRIALS = 1000
SAMPLES = 150
"""Per side, for the rules of a fixed size; hyperfine's own default of 10 runs has a row of its own."""
STORED_EARLIER_S = 45.0
LIMIT = 1.05
TRUE_RATIOS = (1.0, 1.02, 1.05, 1.08)

Array = np.ndarray
Judge = Callable[[Array, Array], bool]


@dataclass(frozen=True)
class Stream:
    """Samples of one call, each of several calls: their mean, as others take, and their median, as we do."""

    name: str
    means: Array
    medians: Array

    @classmethod
    def of(cls, name: str, calls: Array) -> "Stream":
        size = calls_per_sample(float(np.median(calls)))
        samples = calls[: len(calls) // size * size].reshape(-1, size)
        return cls(name, samples.mean(axis=1) * size, np.median(samples, axis=1) * size)

    @property
    def stored_gap(self) -> int:
        return int(STORED_EARLIER_S / float(self.means.mean()))


def stored(stream: Stream, count: int, draw: random.Random) -> tuple[Array, Array]:
    """The base's times were kept from an earlier run of the same process."""
    first = draw.randrange(len(stream.means) - stream.stored_gap - count)
    later = first + stream.stored_gap
    return stream.means[first : first + count], stream.means[later : later + count]


def sequential(stream: Stream, count: int, draw: random.Random) -> tuple[Array, Array]:
    """All of the base, then all of the head."""
    first = draw.randrange(len(stream.means) - 2 * count)
    return stream.means[first : first + count], stream.means[first + count : first + 2 * count]


def pairs(stream: Stream, count: int, draw: random.Random) -> tuple[Array, Array]:
    """One of each, in random order."""
    return _pairs(stream.means, count, draw)


def pairs_of_medians(stream: Stream, count: int, draw: random.Random) -> tuple[Array, Array]:
    """The same, of samples as coreml_gate.timing takes them."""
    return _pairs(stream.medians, count, draw)


def _pairs(samples: Array, count: int, draw: random.Random) -> tuple[Array, Array]:
    first = draw.randrange(len(samples) - 2 * count)
    both = samples[first : first + 2 * count].reshape(count, 2)
    heads = np.array([draw.randrange(2) for _ in range(count)])
    rows = np.arange(count)
    return both[rows, 1 - heads], both[rows, heads]


def ratio_of_means(base: Array, head: Array) -> bool:
    return bool(head.mean() > LIMIT * base.mean())


def welch(base: Array, head: Array) -> bool:
    test = stats.ttest_ind(head, base, equal_var=False)
    return bool(test.pvalue < 0.05 and head.mean() > base.mean())


def mann_whitney(base: Array, head: Array) -> bool:
    test = stats.mannwhitneyu(head, base, alternative="two-sided")
    return bool(test.pvalue < 0.05 and np.median(head) > np.median(base))


OTHERS = (
    ("ratio of means > 1.05", "stored times", stored, ratio_of_means, SAMPLES),
    ("ratio of means > 1.05", "one after the other", sequential, ratio_of_means, SAMPLES),
    ("ratio of means > 1.05", "random pairs", pairs, ratio_of_means, SAMPLES),
    ("Welch's t, p < 0.05", "stored times", stored, welch, SAMPLES),
    ("Welch's t, p < 0.05", "one after the other", sequential, welch, SAMPLES),
    ("hyperfine's Welch script, 10 runs", "one after the other", sequential, welch, 10),
    ("Mann-Whitney U, p < 0.05", "stored times", stored, mann_whitney, SAMPLES),
    ("Mann-Whitney U, p < 0.05", "one after the other", sequential, mann_whitney, SAMPLES),
)


@dataclass(frozen=True)
class Outcome:
    slower: float
    beyond: float
    not_slower: float
    pairs: float
    within_150: float
    """Share of trials in which "slower" was known after 140 pairs, the last look before 150."""


def sequential_rule(stream: Stream, ratio: float, limit: float, seed: int) -> Outcome:
    """The rule of coreml_gate.timing, its processes taken one after another from one stream."""
    draw = random.Random(seed)
    decisions, early = [], 0
    for _ in range(TRIALS):
        base, head = pairs_of_medians(stream, LOOKS[-1], draw)
        groups = np.log(head / base * ratio).reshape(-1, PAIRS_PER_PROCESS).tolist()
        decisions.append(decide(groups, limit))
        early += decide(groups[: LOOKS[-2] // PAIRS_PER_PROCESS], limit).call == "slower"
    slower = [each for each in decisions if each.call == "slower"]
    return Outcome(
        slower=len(slower) / TRIALS,
        beyond=sum(each.beyond_limit for each in slower) / TRIALS,
        not_slower=sum(each.call == "not slower" for each in decisions) / TRIALS,
        pairs=statistics.fmean(each.pairs for each in decisions),
        within_150=early / TRIALS,
    )


def share(
    stream: Stream, design: Callable[..., tuple[Array, Array]], judge: Judge, count: int, ratio: float
) -> float:
    draw = random.Random(1)
    trials = (design(stream, count, draw) for _ in range(TRIALS))
    return sum(judge(base, head * ratio) for base, head in trials) / TRIALS


def lines(streams: list[Stream]) -> Iterator[str]:
    for stream in streams:
        spread = float(stream.means.std() / stream.means.mean())
        yield (
            f"{stream.name}: {len(stream.means)} samples, median {1e3 * np.median(stream.means):.2f} ms, "
            f"p99 {1e3 * np.quantile(stream.means, 0.99):.2f} ms, coefficient of variation {spread:.0%}"
        )
    yield "| rule | design | " + " | ".join(f"{each.name}: 0 % / +5 %" for each in streams) + " |"
    yield "|---|---|" + "---|" * len(streams)
    for rule, name, design, judge, count in OTHERS:
        cells = [
            " / ".join(f"{share(stream, design, judge, count, ratio):.1%}" for ratio in (1.0, 1.05))
            for stream in streams
        ]
        yield f"| {rule} | {name} | " + " | ".join(cells) + " |"
    yield (
        "| stream | limit | true change | slower | past the limit | slower within 150 pairs | not slower "
        "| unsure | mean pairs |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for stream in streams:
        for limit in (1.03, LIMIT):
            for ratio in TRUE_RATIOS:
                it = sequential_rule(stream, ratio, limit, seed=1)
                unsure = 1 - it.slower - it.not_slower
                yield (
                    f"| {stream.name} | {limit} | {ratio - 1:+.0%} | {it.slower:.1%} | {it.beyond:.1%} | "
                    f"{it.within_150:.1%} | {it.not_slower:.1%} | {unsure:.1%} | {it.pairs:.0f} |"
                )


def main(source: Path) -> None:
    with np.load(source) as recorded:
        streams = [Stream.of(name, recorded[name]) for name in ("short", "long")]
    for line in lines(streams):
        print(line, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
