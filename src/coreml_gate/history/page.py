"""The history as a page: one chart per metric, the commits behind it, and notable changes.

Also a badge for a README, as an image and as the JSON from which shields.io makes one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from coreml_gate.foreign.escape import short_name
from coreml_gate.history.document import History, toolchain_changes
from coreml_gate.history.series import Series, all_series
from coreml_gate.history.shifts import Shift, shifts
from coreml_gate.report.page.assets import assets, packed
from coreml_gate.report.page.template import page_template
from coreml_gate.verdict import Status
from coreml_gate.wording import counted, short

_DATE: Final = len("2025-01-02")
_LABEL: Final = "coreml-gate"
_WORDS: Final = {
    Status.PASS: ("passing", "#1a7f37"),
    Status.WARN: ("warnings", "#9a6700"),
    Status.FAIL: ("failing", "#cf222e"),
    Status.UNSURE: ("unsure", "#8250df"),
    Status.SKIPPED: ("skipped", "#59636e"),
}
_LETTER: Final = 6.6
"""Average width in pixels of a letter in the badge's font."""
_PADDING: Final = 12


@dataclass(frozen=True)
class CommitRow:
    """One commit on the page."""

    name: str
    date: str
    link: str
    """Its address, or empty."""
    release: str
    toolchain: str
    """Changes of the toolchain since the commit before."""


@dataclass(frozen=True)
class ShiftRow:
    """One notable change."""

    title: str
    words: str
    commit: str
    link: str


@dataclass(frozen=True)
class ModelHistory:
    """One model with all its changes."""

    name: str
    series: tuple[Series, ...]
    found: tuple[tuple[Shift, ...], ...]
    """Notable changes by series."""
    shifts: tuple[ShiftRow, ...]


def status_of(history: History) -> Status:
    """A warning if a metric got worse, else a pass."""
    return Status.WARN if any(shifts(series) for series in all_series(history)) else Status.PASS


def render(history: History, status: Status, repository: str = "", report: str = "") -> str:
    """The page as HTML.

    :param status: Status of the latest verdict, or of the history.
    :param repository: The address of the repository on the web, for the links of commits.
    :param report: The address of the latest report, relative to the page.
    """
    models = _models(history, repository)
    commits = _commits(history, repository)
    worse = sum(bool(model.shifts) for model in models)
    first, last = history.entries[0], history.entries[-1]
    return page_template("history.html.j2").render(
        assets=assets("history"),
        status=status,
        headline=f"{worse} of {counted(len(models), 'model')} got worse" if worse else "No model got worse",
        span=f"{counted(len(commits), 'commit')}, {first.committed[:_DATE]} to {last.committed[:_DATE]}.",
        report=report,
        models=models,
        commits=commits,
        data=packed({"commits": [_commit_data(each) for each in commits], "series": _data(models, history)}),
    )


def _models(history: History, repository: str) -> list[ModelHistory]:
    return [_model(name, tuple(group), repository) for name, group in groupby(all_series(history), _name_of)]


def _name_of(series: Series) -> str:
    return series.model


def _model(name: str, series: tuple[Series, ...], repository: str) -> ModelHistory:
    found = tuple(shifts(each) for each in series)
    rows = (
        ShiftRow(
            each.figure.title,
            shift.sentence(each.figure),
            short(shift.first.commit),
            _link(shift.first.commit, repository),
        )
        for each, of in zip(series, found, strict=True)
        for shift in of
    )
    return ModelHistory(name, series, found, tuple(rows))


def _commits(history: History, repository: str) -> list[CommitRow]:
    changes = {entry.commit: words for entry, words in toolchain_changes(history)}
    return [
        CommitRow(
            name=short(entry.commit),
            date=entry.committed[:_DATE],
            link=_link(entry.commit, repository),
            release=history.release_of(entry.commit),
            toolchain=changes.get(entry.commit, ""),
        )
        for entry in history.entries
    ]


def _link(commit: str, repository: str) -> str:
    return f"{repository}/commit/{commit}" if repository else ""


def _commit_data(row: CommitRow) -> dict[str, str]:
    marks = {"release": short_name(row.release), "toolchain": short_name(row.toolchain)}
    return {"name": row.name, "date": row.date, "link": row.link} | marks


def _data(models: Sequence[ModelHistory], history: History) -> list[dict[str, object]]:
    """The data to draw: a value per commit of the whole history, and marked places."""
    places = {entry.commit: at for at, entry in enumerate(history.entries)}
    return [
        _series_data(number, series, found, places)
        for number, model in enumerate(models)
        for series, found in zip(model.series, model.found, strict=True)
    ]


def _series_data(
    number: int, series: Series, found: Sequence[Shift], places: dict[str, int]
) -> dict[str, object]:
    figure = series.figure
    values: list[float | None] = [None] * len(places)
    for point in series.points:
        values[places[point.commit]] = point.value * figure.factor
    first, last = figure.show(series.values[0]), figure.show(series.values[-1])
    return {
        "model": number,
        "title": short_name(figure.title),
        "unit": figure.unit,
        "words": f"{first} to {last}." if first != last else f"{last} throughout.",
        "values": values,
        "steps": [places[shift.first.commit] for shift in found if shift.kind == "step"],
    }


def badge_svg(status: Status) -> str:
    """The badge as an image."""
    words, colour = _WORDS[status]
    left, right = _width(_LABEL), _width(words)
    return page_template("badge.svg.j2").render(
        label=_LABEL, words=words, colour=colour, left=left, right=right
    )


def badge_endpoint(status: Status) -> str:
    """The badge as JSON for shields.io (https://shields.io/badges/endpoint-badge)."""
    words, colour = _WORDS[status]
    return json.dumps({"schemaVersion": 1, "label": _LABEL, "message": words, "color": colour}) + "\n"


def _width(words: str) -> int:
    return round(len(words) * _LETTER) + _PADDING
