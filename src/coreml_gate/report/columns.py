"""Selects the columns of the table that fit a GitHub comment without wrapping.

GitHub shows comments at most 830 pixels wide. Failures must be visible, so columns are taken gravest first;
the others go into a folded table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from coreml_gate.report.table import Figure, ModelTable, Row
from coreml_gate.verdict import SEVERITY, Status

MOST_COLUMNS: Final = 6
"""Columns of the open table, including the one with the models."""
MOST_PIXELS: Final = 798
"""Width of a table within a comment: 830 less its padding."""
GAP: Final = 2
"""Spaces between the columns of a terminal."""
NAME_LENGTH: Final = 32
"""Characters of a model's name in the table; the section below has the full name."""
_PADDING: Final = 27
_MARK: Final = 24
_WIDE: Final = 8.8
"""Pixels of a digit in GitHub's 14-pixel font, on the system with the widest digits."""
_NARROW: Final = 4.4
_NARROW_LETTERS: Final = frozenset(" .,:;()[]'|iljtf")


@dataclass(frozen=True)
class ColumnSplit:
    """The visible columns and all columns, both gravest first."""

    open: ModelTable
    whole: ModelTable


def split_columns(table: ModelTable) -> ColumnSplit:
    """Which columns fit; the first is visible however wide it is."""
    return ColumnSplit(_fitting(table), _only(table, _gravest_first(table)))


def _fitting(table: ModelTable) -> ModelTable:
    widths = [_width(table, column) for column in range(len(table.titles))]
    room = MOST_PIXELS - _width_of_names(table.rows)
    return _only(table, _chosen(table, widths, room)[: MOST_COLUMNS - 1])


def fitting_characters(table: ModelTable, room: int) -> ModelTable:
    """The columns that fit a terminal of this width in characters, gravest first."""
    widths = [characters_of(table, column) + GAP for column in range(len(table.titles))]
    return _only(table, _chosen(table, widths, room))


def characters_of(table: ModelTable, column: int) -> int:
    """The width of a terminal column in which labels, values and changes are stacked."""
    figures = [figure for row in table.rows for figure in row.cells[column]]
    texts = [text for figure in figures for text in (f"! {figure.value}", figure.label, f"({figure.change})")]
    longest = max(map(len, (*texts, *table.titles[column].split())), default=0)
    return min(longest, NAME_LENGTH)


def _chosen(table: ModelTable, widths: Sequence[float], room: float) -> list[int]:
    """Columns taken gravest first while there is room; a narrower one may fill what is left."""
    chosen: list[int] = []
    for column in _gravest_first(table):
        if not chosen or widths[column] <= room:
            chosen.append(column)
            room -= widths[column]
    return chosen


def _only(table: ModelTable, columns: Sequence[int]) -> ModelTable:
    return ModelTable(
        tuple(table.titles[column] for column in columns),
        tuple(table.legends[column] for column in columns),
        tuple(replace(row, cells=tuple(row.cells[column] for column in columns)) for row in table.rows),
    )


def _gravest_first(table: ModelTable) -> list[int]:
    """Columns by gravity, otherwise in their order."""
    return sorted(range(len(table.titles)), key=lambda column: _gravity(table, column), reverse=True)


def _gravity(table: ModelTable, column: int) -> int:
    statuses = (figure.status for row in table.rows for figure in row.cells[column])
    return max(map(SEVERITY.index, statuses), default=0)


def _width_of_names(rows: Iterable[Row]) -> float:
    longest = max((min(len(row.model.name), NAME_LENGTH) for row in rows), default=0)
    return _WIDE * longest + _MARK + _PADDING


def _width(table: ModelTable, column: int) -> float:
    figures = (figure for row in table.rows for figure in row.cells[column])
    widest = max(map(_figure_width, figures), default=0.0)
    return max(widest, _text_width(table.titles[column])) + _PADDING


def _figure_width(figure: Figure) -> float:
    texts = (figure.label, figure.value, f"({figure.change})" if figure.change else "")
    mark = 0 if figure.status is Status.PASS else _MARK
    return _text_width(" ".join(filter(None, texts))) + mark


def _text_width(text: str) -> float:
    return sum(_NARROW if letter in _NARROW_LETTERS else _WIDE for letter in text)
