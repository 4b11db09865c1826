"""The report on a terminal and in a CI log: 80 columns, no frames, readable without colour."""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.style import Style
from rich.table import Table as RichTable
from rich.text import Text

from coreml_gate.figures import DASH
from coreml_gate.foreign.escape import shortened
from coreml_gate.foreign.log import one_line
from coreml_gate.report.columns import GAP, characters_of, fitting_characters
from coreml_gate.report.headline import comparison, counts, headline
from coreml_gate.report.options import ReportOptions
from coreml_gate.report.ranking import footnotes, table
from coreml_gate.report.sarif import is_inside
from coreml_gate.report.sections import asides, explain, skipped_groups
from coreml_gate.report.table import Figure, ModelTable, build_table
from coreml_gate.verdict import Finding, Ranking, Status, Verdict
from coreml_gate.wording import counted, names_and_more

WIDTH: Final = 80
_PLACE: Final = re.compile(r"(?<![\w/.-])[\w.-]+(?:/[\w.-]+)*\.\w{1,5}:\d+\b")
NAME_WIDTH: Final = 24
_STATUS_WIDTH: Final = len("UNSURE") + 2 * GAP
STYLES: Final = {
    Status.PASS: "green",
    Status.WARN: "yellow",
    Status.FAIL: "bold red",
    Status.UNSURE: "magenta",
    Status.SKIPPED: "dim",
}


@dataclass(frozen=True)
class _Paper:
    """Prints paragraphs; files below ``folder`` become links on terminals that support them."""

    console: Console
    folder: Path | None = None

    def say(self, sentence: str, *, style: str = "", indent: str = "") -> None:
        """Print a wrapped paragraph; words stay whole, so that no part of one can look like a command."""
        if sentence.startswith("\n"):
            self.console.print()
        lines = textwrap.wrap(
            one_line(sentence),
            width=max(self.console.width, len(indent) + 20),
            initial_indent=indent,
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        if lines:
            text = Text("\n".join(lines), style=style)
            text.highlight_regex(_PLACE, self._link)
            self.console.print(text, soft_wrap=True)

    def _link(self, place: str) -> Style:
        name = place.rpartition(":")[0]
        if self.folder is None or not is_inside(name):
            return Style.null()
        return _link_to(self.folder / name)


def _link_to(file: Path) -> Style:
    """A link without colour; its address is percent-encoded, so that no file name can end it early."""
    return Style(link=file.absolute().as_uri())


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The report as plain text in 80 columns."""
    del options
    stream = StringIO()
    print_verdict(verdict, Console(file=stream, width=WIDTH, color_system=None, force_terminal=False))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def print_headline(verdict: Verdict, console: Console) -> None:
    """Print the verdict in one line."""
    _Paper(console).say(f"coreml-gate: {headline(verdict)}", style=STYLES[verdict.verdict])


def print_place(file: Path, console: Console, folder: Path) -> None:
    """Print the path of the full report, as a link if the terminal supports it."""
    shown = Text(one_line(str(file.relative_to(folder) if file.is_relative_to(folder) else file)))
    shown.stylize(_link_to(file))
    console.print()
    console.print(Text("The whole report: ").append(shown), soft_wrap=True)


def print_verdict(verdict: Verdict, console: Console, folder: Path | None = None) -> None:
    """Print the verdict, the table, then what blocks, what warns and what was not measured.

    Files below ``folder`` that a finding names become links if the terminal supports them.
    """
    paper = _Paper(console, folder)
    print_headline(verdict, console)
    paper.say(" ".join(comparison(verdict)))
    if verdict.models:
        _print_table(build_table(verdict), paper)
        paper.say(f"{counted(len(verdict.models), 'model')}: {counts(verdict)}")
    for model in verdict.models:
        if model.ranking is not None:
            print_ranking(model.name, model.ranking, console)
    for finding in verdict.findings:
        _print_findings(paper, "this run", finding.status, [finding])
    for each in explain(verdict):
        _print_findings(paper, f"{each.model.name} {each.heading}", Status.FAIL, each.findings)
    for status in (Status.WARN, Status.UNSURE):
        for models, found in groupby(asides(verdict, status), key=lambda aside: aside.models):
            _print_findings(paper, names_and_more(models), status, [aside.finding for aside in found])
    _print_notes(verdict, paper)
    for group in skipped_groups(verdict.skipped):
        paper.say(f"\nSkipped ({one_line(group.reason)}): {', '.join(map(one_line, group.models))}")


def print_ranking(name: str, ranking: Ranking, console: Console) -> None:
    """Print the packages of one model side by side, without a limit on the width."""
    paper = _Paper(console)
    console.print()
    paper.say(f"Packages of {name}", style="bold")
    for line in table(ranking):
        console.print(Text(_row(line)), soft_wrap=True)
    paper.say(ranking.choice)
    for note in footnotes(ranking):
        paper.say(note, indent="  ")


def _row(line: str) -> str:
    """Like :func:`one_line`, but keeps the spaces of a table row."""
    return "".join(one_line(part) or part for part in re.split(r"(\s+)", line))


def _print_findings(paper: _Paper, title: str, status: Status, findings: Iterable[Finding]) -> None:
    paper.console.print()
    paper.say(f"{status.upper()} {title}", style=STYLES[status])
    for finding in findings:
        paper.say(f"{finding.check}: {finding.message}", indent="  ")
        if finding.hint:
            paper.say(f"Hint: {finding.hint}", indent="    ")


def _print_notes(verdict: Verdict, paper: _Paper) -> None:
    """Print each note once, with the first few of its models."""
    models: dict[str, list[str]] = {}
    for model in verdict.models:
        for note in model.notes:
            models.setdefault(note, []).append(model.name)
    for note, names in models.items():
        paper.say(f"\nNote on {names_and_more(names)}: {note}")


def _print_table(table: ModelTable, paper: _Paper) -> None:
    """Print one row per model; of many that pass, only the first few."""
    left_out = len(table.rows) - len(table.in_full)
    names = min(NAME_WIDTH, max(len(row.model.name) for row in table.in_full))
    room = paper.console.width - _STATUS_WIDTH - names
    shown = fitting_characters(replace(table, rows=table.in_full), room)
    paper.console.print()
    paper.console.print(_table(shown, paper.console.width))
    if hidden := len(table.titles) - len(shown.titles):
        paper.say(f"and {counted(hidden, 'more column')}: see report.html")
    if left_out:
        paper.say(f"and {counted(left_out, 'more model')} that pass: see report.html")


def _table(table: ModelTable, width: int) -> RichTable:
    grid = RichTable(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("")
    grid.add_column("Model", no_wrap=True, max_width=max(NAME_WIDTH, width // 3))
    for number, title in enumerate(table.titles):
        grid.add_column(Text(_word(title)), justify="right", width=characters_of(table, number))
    for row in table.rows:
        status = row.model.verdict
        name = shortened(_word(row.model.name), NAME_WIDTH)
        cells = (_cell(figures) for figures in row.cells)
        grid.add_row(Text(status.upper(), style=STYLES[status]), Text(name), *cells)
    return grid


def _cell(figures: tuple[Figure, ...]) -> Text:
    return Text("\n").join(_figure(figure) for figure in figures) if figures else Text(DASH)


def _figure(figure: Figure) -> Text:
    label = f"{shortened(_word(figure.label), NAME_WIDTH)}\n" if figure.label else ""
    change = f" ({figure.change.replace(' ', '')})" if figure.change else ""
    if figure.status is Status.PASS:
        return Text(f"{label}{figure.value}{change}")
    return Text(f"{label}! {figure.value}{change}", style=STYLES[figure.status])


def _word(name: str) -> str:
    """A name in a cell, which may be broken anywhere, without any pair of colons."""
    return re.sub(":(?=:)", ": ", one_line(name))
