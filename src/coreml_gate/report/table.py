"""The table that the formats for people share: one row per model, one column per check, figures as text."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate import figures
from coreml_gate.verdict import SEVERITY, Finding, ModelVerdict, Status, Verdict

MAX_METRICS: Final = 3
"""Metrics of one model that a cell shows."""

Show = Callable[[float], str]


@dataclass(frozen=True)
class Figure:
    """One figure of a cell, as plain text."""

    value: str
    status: Status
    change: str = ""
    """Against the baseline; empty where there is none."""
    label: str = ""
    """The metric's name; empty where the column says it all."""


@dataclass(frozen=True)
class Row:
    """One model: its cells in the order of the columns, an empty one where nothing was asked."""

    model: ModelVerdict
    cells: tuple[tuple[Figure, ...], ...]


@dataclass(frozen=True)
class Table:
    """Columns that at least one model fills, and the models, gravest first."""

    titles: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Column:
    """How the figures of one check are shown."""

    check: str
    title: str
    change: figures.Change
    show: Show | None = None
    """``None``: bytes, in one unit for the whole column."""
    highest_is_worst: bool = True
    exact: str = "ok"
    """Stands for a figure that passes and has no value."""
    by_subject: bool = False
    """Whether each subject has a figure of its own, as metrics do, or the worst stands for all."""
    most: int = MAX_METRICS
    """Subjects of one model that a cell shows, the gravest first."""
    only_changes: bool = False
    """Whether the column is left out as long as every figure passes and is the baseline's."""

    def says_something(self, finding: Finding) -> bool:
        """Whether the figure is worth a column."""
        unchanged = finding.base is None or finding.value == finding.base
        return not (self.only_changes and unchanged and finding.status is Status.PASS)


COLUMNS: Final = (
    Column("size", "Size", figures.percent_change),
    Column("memory", "Memory", figures.percent_change),
    Column("cost", "Compute", figures.percent_change, figures.mmacs, only_changes=True),
    Column("parity", "Parity", figures.factor, figures.error),
    Column(
        "precision",
        "FP16 precision",
        figures.decibel_difference,
        figures.decibels,
        highest_is_worst=False,
        exact="exact",
    ),
    Column(
        "coreml-parity",
        "Engine",
        figures.decibel_difference,
        figures.decibels,
        highest_is_worst=False,
        exact="equal",
        by_subject=True,
        most=4,
    ),
    Column("latency", "Latency", figures.percent_change, figures.milliseconds, by_subject=True),
    Column("footprint", "Footprint", figures.percent_change),
    Column("placement", "On Neural Engine", figures.points, figures.share, highest_is_worst=False),
    Column("evaluate", "Metrics", figures.difference, figures.number, by_subject=True),
)


def build_table(verdict: Verdict) -> Table:
    """The Verdict's models as rows, those that block first, otherwise in the configuration's order."""
    models = sorted(verdict.models, key=_gravity, reverse=True)
    asked = [column for column in COLUMNS if _is_shown(column, models)]
    shows = [column.show or _size_in(models, column.check) for column in asked]
    rows = (
        Row(model, tuple(_cell(column, show, model) for column, show in zip(asked, shows, strict=True)))
        for model in models
    )
    return Table(tuple(column.title for column in asked), tuple(rows))


def _gravity(model: ModelVerdict) -> tuple[int, int]:
    return min(model.exit_code, 1), SEVERITY.index(model.verdict)


def _is_shown(column: Column, models: Iterable[ModelVerdict]) -> bool:
    return any(column.says_something(found) for model in models for found in _asked(model, column.check))


def _asked(model: ModelVerdict, check: str) -> list[Finding]:
    return [finding for finding in model.of(check) if finding.status is not Status.SKIPPED]


def _cell(column: Column, show: Show, model: ModelVerdict) -> tuple[Figure, ...]:
    findings = _asked(model, column.check)
    if not column.by_subject:
        return tuple(_figure(column, show, finding) for finding in _worst(column, findings))
    subjects = dict.fromkeys(finding.subject for finding in findings)
    metrics = [_worst(column, [each for each in findings if each.subject == name])[0] for name in subjects]
    metrics.sort(key=lambda finding: SEVERITY.index(finding.status), reverse=True)
    return tuple(_figure(column, show, finding, finding.subject) for finding in metrics[: column.most])


def _worst(column: Column, findings: Sequence[Finding]) -> Sequence[Finding]:
    """The finding that stands for all, in a list of one: the gravest, among equals the worst figure."""

    def rank(finding: Finding) -> tuple[int, bool, float]:
        value = 0.0 if finding.value is None else finding.value
        return (
            SEVERITY.index(finding.status),
            finding.value is not None,
            value if column.highest_is_worst else -value,
        )

    return sorted(findings, key=rank, reverse=True)[:1]


def _figure(column: Column, show: Show, finding: Finding, label: str = "") -> Figure:
    if finding.value is None:
        text = column.exact if finding.status is Status.PASS else figures.DASH
        return Figure(text, finding.status, label=label)
    value, base = _in_bytes(finding.value, finding.unit), finding.base
    change = "" if base is None else column.change(value, _in_bytes(base, finding.unit))
    return Figure(show(value), finding.status, change, label)


def _size_in(models: Iterable[ModelVerdict], check: str) -> Show:
    findings = [finding for model in models for finding in model.of(check)]
    sizes = [_in_bytes(each.value, each.unit) for each in findings if each.value is not None]
    return figures.byte_unit(sizes).show


def _in_bytes(value: float, unit: str) -> float:
    return value * figures.BYTES.get(unit, 1.0)
