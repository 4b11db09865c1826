"""The table shared by the formats for people: one row per model, one column per check, figures as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from coreml_gate import figures
from coreml_gate.checks import CHECKS, columns
from coreml_gate.checks.check import Column, Show
from coreml_gate.checks.evidence import LOST
from coreml_gate.foreign.escape import plain, shortened
from coreml_gate.verdict import SEVERITY, Finding, ModelVerdict, Status, Verdict

TITLE_LENGTH: Final = 24
"""Characters of a metric's name in the title of its column."""

MOST_PASSING: Final = 100
"""Passing models that are shown in full."""


@dataclass(frozen=True)
class Figure:
    """One figure of a cell, as plain text."""

    value: str
    status: Status
    change: str = ""
    """The change from the baseline, or empty."""
    label: str = ""
    """The metric's name; empty if the column's title suffices."""
    base: str = ""
    """The baseline's figure, or empty."""


@dataclass(frozen=True)
class Row:
    """One model, with a cell for each column; a cell without a figure is empty."""

    model: ModelVerdict
    cells: tuple[tuple[Figure, ...], ...]


@dataclass(frozen=True)
class ModelTable:
    """The non-empty columns and the models, gravest first."""

    titles: tuple[str, ...]
    legends: tuple[str, ...]
    """A sentence on each column's figure; empty if the title suffices."""
    rows: tuple[Row, ...]

    @property
    def in_full(self) -> tuple[Row, ...]:
        """The models that are shown in full: all that do not pass, and the first few that do."""
        passing = [row for row in self.rows if row.model.verdict is Status.PASS]
        left_out = {id(row) for row in passing[MOST_PASSING:]}
        return tuple(row for row in self.rows if id(row) not in left_out)


def build_table(verdict: Verdict) -> ModelTable:
    """The Verdict's models as rows, blocking ones first, otherwise in the configuration's order."""
    models = sorted(verdict.models, key=lambda model: SEVERITY.index(model.verdict), reverse=True)
    filled = {name: column for name, column in columns().items() if _is_filled(name, column, models)}
    shows = {name: column.show or _size_in(models, name) for name, column in filled.items()}
    rows = (
        Row(
            model, tuple(_cell(column, shows[name], _figured(model, name)) for name, column in filled.items())
        )
        for model in models
    )
    titles = tuple(column.title for column in filled.values())
    legends = tuple(column.legend for column in filled.values())
    return _named_once(ModelTable(titles, legends, tuple(rows)))


def _named_once(table: ModelTable) -> ModelTable:
    """Move the label into the column's title if there is only one: ``Metric accuracy``."""
    labels = [
        {figure.label for row in table.rows for figure in row.cells[at]} for at in range(len(table.titles))
    ]
    single = [min(found) if len(found) == 1 else "" for found in labels]
    titles = (
        f"{title} {shortened(plain(label), TITLE_LENGTH)}".rstrip()
        for title, label in zip(table.titles, single, strict=True)
    )
    rows = (
        replace(
            row, cells=tuple(_without(label, cell) for label, cell in zip(single, row.cells, strict=True))
        )
        for row in table.rows
    )
    return ModelTable(tuple(titles), table.legends, tuple(rows))


def _without(label: str, cell: tuple[Figure, ...]) -> tuple[Figure, ...]:
    return tuple(replace(figure, label="") for figure in cell) if label else cell


def _is_filled(check: str, column: Column, models: Iterable[ModelVerdict]) -> bool:
    found = (finding for model in models for finding in _figured(model, check))
    return any(column.says_something(finding) and finding.message != LOST for finding in found)


def _figured(model: ModelVerdict, check: str) -> list[Finding]:
    """The findings that a cell shows; a skipped one is shown if its unit can say why there is no figure."""
    column = CHECKS[check].column
    words = () if column is None else column.words
    return [each for each in model.of(check) if each.status is not Status.SKIPPED or each.unit in words]


def _cell(column: Column, show: Show, findings: Sequence[Finding]) -> tuple[Figure, ...]:
    if not column.by_subject:
        return tuple(_figure(column, show, finding) for finding in _worst(column, findings))
    subjects = dict.fromkeys(finding.subject for finding in findings)
    metrics = [_worst(column, [each for each in findings if each.subject == name])[0] for name in subjects]
    metrics.sort(key=lambda finding: SEVERITY.index(finding.status), reverse=True)
    return tuple(_figure(column, show, finding, finding.subject) for finding in metrics[: column.most])


def _worst(column: Column, findings: Sequence[Finding]) -> Sequence[Finding]:
    """The finding that represents all, as a list: the gravest one with the worst figure."""

    def rank(finding: Finding) -> tuple[int, bool, float]:
        value = 0.0 if finding.value is None else finding.value
        return (
            SEVERITY.index(finding.status),
            finding.value is not None,
            value if column.highest_is_worst else -value,
        )

    return sorted(findings, key=rank, reverse=True)[:1]


def _figure(column: Column, show: Show, finding: Finding, label: str = "") -> Figure:
    if finding.status is Status.SKIPPED:
        return Figure(finding.unit, Status.PASS, label=label)
    if finding.value is None:
        text = column.exact if finding.status is Status.PASS else figures.DASH
        return Figure(text, finding.status, label=label)
    show = column.other_units.get(finding.unit, show)
    value, base = _in_bytes(finding.value, finding.unit), finding.base
    change = "" if base is None else column.change(value, _in_bytes(base, finding.unit))
    before = "" if base is None else show(_in_bytes(base, finding.unit))
    return Figure(show(value), finding.status, change, label, before)


def _size_in(models: Iterable[ModelVerdict], check: str) -> Show:
    findings = [finding for model in models for finding in model.of(check)]
    sizes = [_in_bytes(each.value, each.unit) for each in findings if each.value is not None]
    return figures.byte_unit(sizes).show


def _in_bytes(value: float, unit: str) -> float:
    return value * figures.BYTES.get(unit, 1.0)
