"""The figures of a Record that go into the history: a few per model, with the same meaning on every machine.

Times are left out, because times from different machines cannot be compared (docs/timing.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from coreml_gate import figures
from coreml_gate.criteria import least_psnr
from coreml_gate.history.document import CommitEntry
from coreml_gate.record import Environment, ModelRecord, Record

EVALUATE: Final = "evaluate."
"""Prefix of the names of the user's own metrics."""
_TOOLS: Final = ("coreml_gate", "coremltools", "numpy", "python", "torch")


@dataclass(frozen=True)
class TrackedFigure:
    """How one figure is tracked over commits."""

    title: str
    read: Callable[[ModelRecord], float | None]
    show: Callable[[float], str]
    worse: int
    """1 if more is worse, -1 if less is, 0 if unknown."""
    notable: float
    """The smallest change to report, as a share of the figure, or if ``absolute`` in its own unit."""
    absolute: bool = False
    unit: str = ""
    """Unit of a chart's axis."""
    factor: float = 1.0
    """Factor from the figure to the axis."""

    def change(self, before: float, after: float) -> float:
        """The change in the unit of :attr:`notable`."""
        if self.absolute:
            return after - before
        return (after - before) / abs(before) if before else 0.0


def _size(model: ModelRecord) -> float | None:
    return None if model.package is None else model.package.total_bytes


def _memory(model: ModelRecord) -> float | None:
    return None if model.memory is None else model.memory.total_bytes


def _compute(model: ModelRecord) -> float | None:
    return None if model.cost is None else model.cost.macs


def _parity(model: ModelRecord) -> float | None:
    return max((comparison.relative_error for comparison in model.parity), default=None)


def _megabytes(size: float) -> str:
    return figures.byte_unit([size]).show(size)


def _mmacs(macs: float) -> str:
    return figures.mmacs(macs / 1e6)


FIGURES: Final[Mapping[str, TrackedFigure]] = {
    "size": TrackedFigure("Size", _size, _megabytes, worse=1, notable=0.02, unit="MB", factor=1e-6),
    "memory": TrackedFigure("Memory", _memory, _megabytes, worse=1, notable=0.02, unit="MB", factor=1e-6),
    "compute": TrackedFigure("Compute", _compute, _mmacs, worse=1, notable=0.02, unit="MMAC", factor=1e-6),
    "parity": TrackedFigure("Parity", _parity, figures.error, worse=1, notable=9.0),
    "fp16-psnr": TrackedFigure(
        "FP16 PSNR",
        lambda model: least_psnr(model.precision),
        figures.decibels,
        worse=-1,
        notable=3.0,
        absolute=True,
        unit="dB",
    ),
}
"""The figures by name. Parity is noise in the last bits, so only a tenfold change counts."""


def figure_of(metric: str) -> TrackedFigure:
    """How a metric is tracked, including the user's own."""
    own = TrackedFigure(metric.removeprefix(EVALUATE), lambda _: None, figures.number, worse=0, notable=0.01)
    return FIGURES.get(metric, own)


def entry_of(record: Record, committed: str, ancestors: int = 0) -> CommitEntry | None:
    """The Record's figures; ``None`` if it is not of a commit."""
    if record.commit is None or record.dirty:
        return None
    return CommitEntry(
        commit=record.commit,
        committed=in_utc(committed),
        ancestors=ancestors,
        toolchain=_toolchain(record.environment),
        models={model.name: figures_of(model) for model in record.models if model.problem is None},
    )


def figures_of(model: ModelRecord) -> dict[str, float]:
    """All figures of a measured model."""
    read = {name: figure.read(model) for name, figure in FIGURES.items()}
    own = {f"{EVALUATE}{each.name}": each.value for each in model.metrics if each.side == "fp16"}
    return {name: float(value) for name, value in read.items() if value is not None} | own


def in_utc(moment: str) -> str:
    """A time in ISO 8601 and UTC, so that the order of texts is that of times."""
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="seconds")


def _toolchain(environment: Environment) -> dict[str, str]:
    return {tool: str(getattr(environment, tool)) for tool in _TOOLS}
