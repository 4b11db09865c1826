"""The comment on the pull request: the verdict first, then the reasons, everything else collapsed."""

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import jinja2

from coreml_gate.figures import DASH
from coreml_gate.foreign import escape
from coreml_gate.foreign.escape import Markdown
from coreml_gate.report.columns import NAME_LENGTH, ColumnSplit, split_columns
from coreml_gate.report.headline import MARKS, comparison, counts, headline
from coreml_gate.report.options import ReportOptions
from coreml_gate.report.sections import (
    MAX_REASONS,
    Aside,
    asides,
    explain,
    gravest_first,
    skipped_groups,
    summary_of,
)
from coreml_gate.report.table import Figure, Row, build_table
from coreml_gate.report.templating import environment
from coreml_gate.verdict import Status, Verdict
from coreml_gate.wording import counted

SENTENCE_LIMIT: Final = 300
"""Characters of the sentence on the baseline's origin, and of a reason why a model was not measured."""
MAX_OPEN_ROWS: Final = 12
"""With more models than this, those that pass fold into a table of their own."""
UNTRAINED: Final = "🌱"
"""Shown beside the name of a model that is probably untrained."""
MAX_ASIDES: Final = 20
"""Warnings, and unsure findings, that are spelled out; the rest are counted."""

MAX_NAMES: Final = 5
"""Models named with a warning that they share."""


@dataclass(frozen=True)
class Detail:
    """One level of detail: what is shown, and a sentence about what is not."""

    left_out: str = ""
    collapsed: bool = True
    """Whether to include the collapsed parts: every finding, every model that was not measured."""
    passing: bool = True
    """Whether to include a folded table of passing models."""
    asides: bool = True
    """Whether to spell out warnings and unsure findings."""
    reasons: bool = True
    """Whether to explain why a model blocks: what, where and how to fix it, a line each."""
    message_limit: int = 600
    hints: bool = True
    """Whether to include the lines on where and how to fix it."""
    rows: int | None = None
    """Models in the table; ``None`` means all."""


_NO_DETAILS = Detail("the collapsed details", collapsed=False)
_NO_PASSING = replace(_NO_DETAILS, left_out="the details and the models that pass", passing=False)
_NO_ASIDES = replace(_NO_PASSING, left_out="details, models that pass and warnings", asides=False)
_SHORT = replace(
    _NO_ASIDES,
    left_out="details, models that pass, warnings, hints, and all but the first failure of each model",
    message_limit=160,
    hints=False,
)
_TABLE = replace(_SHORT, left_out="models that pass and all explanations", reasons=False)
_WORST = replace(_TABLE, left_out="all explanations, and all models but the 50 gravest", rows=50)
_COUNTS = replace(_TABLE, left_out="everything but the counts", rows=0)
LEVELS: Final = (Detail(), _NO_DETAILS, _NO_PASSING, _NO_ASIDES, _SHORT, _TABLE, _WORST, _COUNTS)
"""From everything to counts only; the first one that fits the limit is used."""


def marker(key: str) -> str:
    """The hidden first line by which a later run finds the comment; only valid at the very start."""
    return f"<!-- coreml-gate: {key} -->"


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The comment with as much detail as fits ``options.limit``; counts only need about 3,000 bytes."""
    split = split_columns(build_table(verdict))

    @cache
    def text_at(level: int) -> str:
        return render_at(verdict, split, options, LEVELS[level])

    def fits(level: int) -> bool:
        return len(text_at(level).encode()) <= options.limit

    if _may_fit_whole(verdict, options.limit) and fits(0):
        return text_at(0)
    shorter = range(1, len(LEVELS) - 1)
    return text_at(shorter.start + bisect_left(shorter, x=True, key=fits))


def _may_fit_whole(verdict: Verdict, limit: int) -> bool:
    """Whether full detail is worth trying: the folded part has every message, at most half hidden."""
    shown = (min(len(finding.message), escape.MESSAGE_LIMIT) for _, finding in verdict.of_models)
    return sum(shown) <= 2 * limit


def render_at(verdict: Verdict, split: ColumnSplit, options: ReportOptions, detail: Detail) -> str:
    """The comment at one level of detail, with the columns in ``split``."""
    table, whole = split.open, split.whole
    tables = _folded(table.rows, detail)
    blocked = explain(verdict) if detail.reasons else []
    named = {each.model.name for each in blocked}
    return _template().render(
        marker=Markdown(marker(options.key)),
        mark=MARKS[verdict.verdict],
        headline=headline(verdict),
        comparison=Markdown(" ".join(escape.message(part, SENTENCE_LIMIT) for part in comparison(verdict))),
        counts=counts(verdict),
        titles=table.titles,
        legend=" ".join(filter(None, table.legends)),
        tables=tables,
        untrained_mark=UNTRAINED,
        untrained=[row.model for _, rows in tables for row in rows if row.model.untrained],
        rows_left_out=sum(len(rows) for _, rows in tables) < len(table.rows),
        more_columns=len(whole.titles) - len(table.titles),
        whole=whole,
        explained=blocked,
        asides=_asides(verdict, of_blocked=not detail.collapsed) if detail.asides else [],
        others=[row.model for row in table.rows if row.model.name not in named],
        models=[row.model for row in table.rows],
        skipped=skipped_groups(verdict.skipped),
        verdict=verdict,
        detail=detail,
        options=options,
        max_reasons=MAX_REASONS,
        max_asides=MAX_ASIDES,
        max_names=MAX_NAMES,
        sentence_limit=SENTENCE_LIMIT,
    )


def _folded(rows: tuple[Row, ...], detail: Detail) -> list[tuple[str, tuple[Row, ...]]]:
    """The rows as tables: an open one, then a folded one with a title; empty tables are left out.

    A single model without figures needs no table, because the section below names it.
    """
    if len(rows) == 1 and not rows[0].cells:
        return []
    if len(rows) <= MAX_OPEN_ROWS:
        return [("", rows[: detail.rows])] if rows[: detail.rows] else []
    passing = tuple(row for row in rows if row.model.verdict is Status.PASS)
    remarkable = tuple(row for row in rows if row.model.verdict is not Status.PASS)
    titled = [("", remarkable[: detail.rows])]
    titled += [(f"{counted(len(passing), 'model')} pass", passing)] if detail.passing else []
    return [(title, part) for title, part in titled if part]


def _asides(verdict: Verdict, *, of_blocked: bool) -> list[tuple[str, list[Aside]]]:
    titled = (("Warnings", Status.WARN), ("Could not be checked", Status.UNSURE))
    sections = ((title, asides(verdict, status, of_blocked=of_blocked)) for title, status in titled)
    return [(title, found) for title, found in sections if found]


@cache
def _template() -> jinja2.Template:
    """The template, which escapes everything that is not :class:`Markdown` already."""
    made = environment(_finalize, autoescape=False)
    made.filters |= {
        "block": escape.block,
        "cell": escape.cell,
        "code": escape.code,
        "short_name": _short_name,
        "summary_of": summary_of,
        "figures": _figures,
        "gravest_first": gravest_first,
        "message": escape.message,
        "trusted": Markdown,
    }
    return made.get_template("comment.md.j2")


def _finalize(value: Any) -> str:  # noqa: ANN401 - the template prints values of any type
    if value is None:
        raise TypeError("the template prints a value that is missing")
    return value if isinstance(value, Markdown) else escape.text(str(value))


def _short_name(name: str) -> Markdown:
    """A model's name for the table; a long one loses its middle, because names often differ at the end."""
    shown = escape.plain(name)
    if len(shown) > NAME_LENGTH:
        half = NAME_LENGTH // 2
        shown = f"{shown[: half - 1]}…{shown[-half:]}"
    return escape.cell(escape.code(shown))


def _figures(figures: tuple[Figure, ...]) -> Markdown:
    """The content of one cell, with failures and warnings in bold."""
    return Markdown("<br>".join(_figure(figure) for figure in figures) or DASH)


def _figure(figure: Figure) -> str:
    label = f"{escape.cell(escape.code(figure.label, 40))} " if figure.label else ""
    text = _unbroken(figure.value) + (f" {_unbroken(f'({figure.change})')}" if figure.change else "")
    match figure.status:
        case Status.PASS:
            return label + text
        case Status.FAIL | Status.WARN:
            return f"{label}**{MARKS[figure.status]} {text}**"
        case _:
            return f"{label}{MARKS[figure.status]} {text}"


def _unbroken(text: str) -> str:
    """A number and its unit, kept on one line."""
    return escape.text(text).replace(" ", "&nbsp;")
