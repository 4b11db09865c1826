"""The history as text: one line per metric, and one for each change that is worth a look."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from coreml_gate.checks.sparkline import sparkline
from coreml_gate.foreign.escape import plain, short_name, shortened
from coreml_gate.history.document import History, toolchain_changes
from coreml_gate.history.series import Series, all_series
from coreml_gate.history.shifts import SHORT, shifts
from coreml_gate.wording import counted

_WIDTH: Final = 24
"""Commits of the line of bars, the newest: the whole line fits 80 columns."""
_LOWEST: Final = 1
_HIGHEST: Final = 8


def render(history: History, model: str | None = None) -> str:
    """The history in lines that fit 80 columns wherever names do; of one model, or of all."""
    chosen = [series for series in all_series(history) if model in (None, series.model)]
    if not chosen:
        return (
            "The history holds no figure.\n" if model is None else f"The history holds no model `{model}`.\n"
        )
    parts = [_head(history), *_toolchain(history)]
    for name, group in groupby(chosen, key=lambda series: series.model):
        parts += [
            "",
            short_name(name),
            *(line for series in group for line in _lines(series)),
        ]
    return "\n".join(parts) + "\n"


def _head(history: History) -> str:
    first, last = history.entries[0], history.entries[-1]
    return f"{counted(len(history.entries), 'commit')}, {first.commit[:SHORT]} to {last.commit[:SHORT]}"


def _toolchain(history: History) -> Iterator[str]:
    for entry, words in toolchain_changes(history):
        yield f"toolchain at {entry.commit[:SHORT]}: {words}"


def _lines(series: Series) -> Iterator[str]:
    figure = series.figure
    first, last = (figure.show(series.values[at]) for at in (0, -1))
    levels = last if first == last else f"{first} to {last}"
    title = shortened(plain(figure.title), _WIDTH)
    yield f"  {title:<14} {_bars(series.values[-_WIDTH:]):<{_WIDTH}}  {levels}"
    for shift in shifts(series):
        yield f"    {shift.sentence(figure)}"


def _bars(values: Sequence[float]) -> str:
    """Bars from the least figure to the greatest; equal figures are all full."""
    least, spread = min(values), max(values) - min(values)
    scaled = ((value - least) / spread if spread else 0.0 for value in values)
    return sparkline([_LOWEST + round((_HIGHEST - _LOWEST) * share) for share in scaled])
