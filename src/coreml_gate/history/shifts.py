"""Finds changes of a metric, and drift in many steps that are each too small for the gate's limits.

Change points are found by PELT (Killick et al. 2012, doi:10.1080/01621459.2012.737745) as the library
``ruptures`` computes it, with the cost of a shifted mean and a penalty that grows with the logarithm of the
number of commits. A single outlier is taken out before, by the median of three neighbours.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from coreml_gate.history.measured import TrackedFigure
from coreml_gate.history.series import Point, Series
from coreml_gate.wording import short

LEAST_COMMITS: Final = 4
"""Two on either side of a change, because a single one may be an outlier."""
_SIDE: Final = 2
_PENALTY: Final = 5.0
"""Times log(n), for data with a standard deviation of 1. BIC takes 2; with 5, 1 of 400 series of 60 figures
of pure noise shows a change, and 7 of 400 series of 20."""
_NORMAL_MAD: Final = 0.6745
"""Median absolute deviation of a normal distribution with a standard deviation of 1."""
_LEAST_NOISE: Final = 1e-3
"""Minimum noise as a share of the figure; most figures have none at all."""

ShiftKind = Literal["step", "creep", "since release"]


@dataclass(frozen=True)
class Shift:
    """A notable change of a metric."""

    kind: ShiftKind
    before: float
    after: float
    since: Point
    """The last commit before it."""
    first: Point
    """The first commit of the new level; for creep and releases, the newest commit."""

    def sentence(self, figure: TrackedFigure) -> str:
        """What happened, in words."""
        show, commit = figure.show, short(self.first.commit)
        levels = f"{show(self.before)} to {show(self.after)}"
        match self.kind:
            case "step":
                return f"step at {commit}: {levels}"
            case "creep":
                return f"creeps since {short(self.since.commit)}: {levels} in steps of which none stands out"
            case "since release":
                return f"since release {self.since.release}: {levels}"


@dataclass(frozen=True)
class _Level:
    start: int
    stop: int
    value: float


def change_points(values: Sequence[float]) -> tuple[int, ...]:
    """The indices at which a new level begins."""
    if len(values) < LEAST_COMMITS or min(values) == max(values):
        return ()
    import numpy as np  # noqa: PLC0415 - `--help` lists the commands that need it
    import ruptures  # noqa: PLC0415

    noise = _noise(values)
    if noise == 0:
        return ()
    signal = np.asarray(_without_outliers(values), dtype=float).reshape(-1, 1) / noise
    found = ruptures.KernelCPD(kernel="linear", min_size=_SIDE).fit(signal)
    return tuple(found.predict(pen=_PENALTY * math.log(len(values)))[:-1])


def shifts(series: Series) -> tuple[Shift, ...]:
    """Every notable step, then the sum of all steps since the start of the history and since the release."""
    levels = _levels(series.values)
    steps = [_between(series, "step", one, other) for one, other in pairwise(levels)]
    notable = [step for step in steps if _is_notable(series.figure, step.before, step.after)]
    return (*notable, *_creep(series, levels, notable), *_since_release(series, levels))


def _levels(values: Sequence[float]) -> list[_Level]:
    edges = [0, *change_points(values), len(values)]
    return [
        _Level(start, stop, statistics.median(values[start:stop])) for start, stop in pairwise(edges) if stop
    ]


def _between(series: Series, kind: ShiftKind, one: _Level, other: _Level) -> Shift:
    return Shift(kind, one.value, other.value, series.points[one.stop - 1], series.points[other.start])


def _creep(series: Series, levels: Sequence[_Level], notable: Sequence[Shift]) -> Iterator[Shift]:
    """Many steps of which none is notable but whose sum is."""
    start = max((series.points.index(step.first) for step in notable), default=0)
    since = [level for level in levels if level.start >= start]
    if len(since) > _SIDE and _is_notable(series.figure, since[0].value, since[-1].value):
        yield Shift(
            "creep", since[0].value, since[-1].value, series.points[since[0].start], series.points[-1]
        )


def _since_release(series: Series, levels: Sequence[_Level]) -> Iterator[Shift]:
    release = series.release
    if release is None or release == series.points[-1]:
        return
    at = series.points.index(release)
    then = next(level for level in levels if level.start <= at < level.stop)
    if _is_notable(series.figure, then.value, levels[-1].value):
        yield Shift("since release", then.value, levels[-1].value, release, series.points[-1])


def _is_notable(figure: TrackedFigure, before: float, after: float) -> bool:
    change = figure.change(before, after)
    return abs(change) >= figure.notable and (figure.worse == 0 or change * figure.worse > 0)


def _without_outliers(values: Sequence[float]) -> list[float]:
    inner = (statistics.median(values[at - 1 : at + 2]) for at in range(1, len(values) - 1))
    return [statistics.median(values[:3]), *inner, statistics.median(values[-3:])]


def _noise(values: Sequence[float]) -> float:
    """The standard deviation around the level, from neighbours, which nearly always share a level."""
    differences = [abs(other - one) for one, other in pairwise(values)]
    spread = statistics.median(differences) / (_NORMAL_MAD * math.sqrt(2))
    return max(spread, _LEAST_NOISE * statistics.median(map(abs, values)))
