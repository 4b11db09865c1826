"""``coreml-gate history``: shows each metric over the commits of the base branch."""

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from coreml_gate.arguments import OUTPUT, add_json
from coreml_gate.errors import RecordError, RepositoryError
from coreml_gate.figures import sparkline
from coreml_gate.foreign.escape import plain, short_name, shortened
from coreml_gate.gate.git import Repository
from coreml_gate.history import (
    CommitEntry,
    History,
    ReleaseMark,
    Series,
    all_series,
    merged,
    read_history,
    write_history,
)
from coreml_gate.history.commits import dated_entry
from coreml_gate.history.document import toolchain_changes
from coreml_gate.history.shifts import shifts
from coreml_gate.record import read_record
from coreml_gate.surroundings import Surroundings
from coreml_gate.wording import counted, short

DEFAULT_HISTORY: Final = OUTPUT / "history.json"
_WIDTH: Final = 24
"""Number of newest commits drawn as bars, so that the line fits 80 columns."""
_LOWEST: Final = 1
_HIGHEST: Final = 8


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_history(parser)
    parser.add_argument("--model", metavar="NAME", help="only this model")
    add_json(parser)
    parser.add_argument("--to", type=Path, metavar="FILE", help="also write the merged history to this file")
    parser.set_defaults(command=run)


def add_history(parser: argparse.ArgumentParser) -> None:
    """Add the histories to read and the Records to add to them."""
    parser.add_argument(
        "--history",
        type=Path,
        action="append",
        metavar="FILE",
        help=f"a history.json; repeatable: all are merged; default: {DEFAULT_HISTORY}, where there is one",
    )
    parser.add_argument(
        "--add",
        type=Path,
        action="append",
        default=[],
        metavar="RECORD",
        help="a Record of a commit, or its folder; repeatable",
    )
    parser.add_argument(
        "--release",
        action="append",
        default=[],
        metavar="TAG",
        help="a tag of git that is a release; repeatable",
    )


def run(parsed: argparse.Namespace, around: Surroundings) -> int:
    """Print the history, and write it if requested."""
    history = history_of(parsed, around)
    if parsed.to is not None:
        write_history(history, around.folder / parsed.to)
    if parsed.json:
        around.print_json(_as_json(history, parsed.model))
        return 0
    around.out.print(_rendered(history, parsed.model), end="")
    return 0


def _as_json(history: History, model: str | None) -> object:
    """Each metric of each model over its commits."""
    return [
        {
            "model": series.model,
            "metric": series.metric,
            "points": [{"commit": point.commit, "value": point.value} for point in series.points],
        }
        for series in all_series(history)
        if model in (None, series.model)
    ]


def history_of(parsed: argparse.Namespace, around: Surroundings) -> History:
    """The named histories and Records, merged."""
    default = around.folder / DEFAULT_HISTORY
    named = [around.folder / file for file in parsed.history or ()]
    files = named or ([default] if default.is_file() else [])
    repository = _repository(around)
    added = History(entries=tuple(_entries(parsed.add, around.folder, repository)))
    releases = History(entries=(), releases=tuple(_releases(parsed.release, repository)))
    history = merged(*map(read_history, files), added, releases)
    if not history.entries:
        raise RecordError(
            "there is no history: no file was named and no Record was added.",
            "name the history.json that a run on the base branch stored (--history), or Records (--add).",
        )
    return history


def _entries(paths: list[Path], folder: Path, repository: Repository | None) -> Iterator[CommitEntry]:
    for path in paths:
        record = read_record(folder / path)
        entry = dated_entry(record, repository)
        if entry is None:
            raise RecordError(
                f"record `{path}` is of no commit: its work tree had changes that no commit holds.",
                "measure a commit: `coreml-gate collect` in a clean work tree.",
            )
        yield entry


def _releases(tags: list[str], repository: Repository | None) -> Iterator[ReleaseMark]:
    for tag in tags:
        if repository is None:
            raise RepositoryError(
                f"release `{tag}`: this folder is in no git repository.", "run inside of one."
            )
        yield ReleaseMark(tag=tag, commit=repository.commit(tag))


def _repository(around: Surroundings) -> Repository | None:
    try:
        return Repository.open(around.folder, around.environment)
    except RepositoryError:
        return None


def _rendered(history: History, model: str | None = None) -> str:
    """The history of one model or of all, in lines of 80 columns unless names are too long."""
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
    return f"{counted(len(history.entries), 'commit')}, {short(first.commit)} to {short(last.commit)}"


def _toolchain(history: History) -> Iterator[str]:
    for entry, words in toolchain_changes(history):
        yield f"toolchain at {short(entry.commit)}: {words}"


def _lines(series: Series) -> Iterator[str]:
    figure = series.figure
    first, last = (figure.show(series.values[at]) for at in (0, -1))
    levels = last if first == last else f"{first} to {last}"
    title = shortened(plain(figure.title), _WIDTH)
    yield f"  {title:<14} {_bars(series.values[-_WIDTH:]):<{_WIDTH}}  {levels}"
    for shift in shifts(series):
        yield f"    {shift.sentence(figure)}"


def _bars(values: Sequence[float]) -> str:
    """Bars scaled from the lowest figure to the highest; full bars if all are equal."""
    least, spread = min(values), max(values) - min(values)
    scaled = ((value - least) / spread if spread else 0.0 for value in values)
    return sparkline([_LOWEST + round((_HIGHEST - _LOWEST) * share) for share in scaled])
