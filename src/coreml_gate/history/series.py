"""One metric of one model, commit by commit."""

from dataclasses import dataclass
from functools import cached_property

from coreml_gate.history.document import History
from coreml_gate.history.measured import FIGURES, TrackedFigure, figure_of


@dataclass(frozen=True)
class Point:
    """One figure at one commit."""

    commit: str
    committed: str
    value: float
    release: str = ""
    """The commit's tag, or empty."""


@dataclass(frozen=True)
class Series:
    """The figures in the order of commits; commits at which the model was not measured are left out."""

    model: str
    metric: str
    points: tuple[Point, ...]

    @property
    def figure(self) -> TrackedFigure:
        """How the figure is tracked and shown."""
        return figure_of(self.metric)

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The figures without their commits."""
        return tuple(point.value for point in self.points)

    @property
    def release(self) -> Point | None:
        """The newest release."""
        return next((point for point in reversed(self.points) if point.release), None)


def all_series(history: History) -> tuple[Series, ...]:
    """Every metric of every model, ordered by the models' names."""
    points: dict[tuple[str, str], list[Point]] = {}
    for entry in history.entries:
        release = history.release_of(entry.commit)
        for model, found in entry.models.items():
            for metric, value in found.items():
                point = Point(entry.commit, entry.committed, value, release)
                points.setdefault((model, metric), []).append(point)
    order = {metric: at for at, metric in enumerate(FIGURES)}
    ordered = sorted(points, key=lambda each: (each[0], order.get(each[1], len(order)), each[1]))
    return tuple(Series(model, metric, tuple(points[model, metric])) for model, metric in ordered)
