"""The report as one page, which loads nothing and runs only its own scripts, allowed by their digests.

Every decision is in the HTML itself. If the Records of head and base are given, the scripts of ``page/`` draw
what was measured along the program: errors, ranges, memory, times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from coreml_gate.record import Diagnosis, Environment, ModelRecord, Record
from coreml_gate.report.headline import comparison, counts, headline
from coreml_gate.report.options import ReportOptions
from coreml_gate.report.page.assets import assets, packed
from coreml_gate.report.page.drawn import drawn
from coreml_gate.report.page.template import page_template
from coreml_gate.report.sections import gravest_first, skipped_groups
from coreml_gate.report.table import Figure, Row, build_table
from coreml_gate.verdict import SEVERITY, Finding, ModelVerdict, Status, Verdict
from coreml_gate.wording import short

_SETTLED: Final = (Status.PASS, Status.SKIPPED)
_LABELS: Final = {"coreml_gate": "coreml-gate", "platform": ""}
_TOOLS: Final = ("coremltools", "torch", "numpy", "python", "platform", "coreml_gate")
MOST_OPEN: Final = 20
"""Models that are unfolded when the page opens, gravest first."""


@dataclass(frozen=True)
class Section:
    """One model: findings that matter, those that pass or were skipped, and what was measured."""

    model: ModelVerdict
    figures: tuple[tuple[str, tuple[Figure, ...]], ...]
    """Column by column, base beside head."""
    open: tuple[Finding, ...]
    settled: tuple[Finding, ...]
    structure: tuple[str, ...]
    """The lines on what changed in the program."""
    record: ModelRecord | None
    data: str
    """The packed data that the scripts draw, or empty."""
    unfolded: bool

    @property
    def diagnosis(self) -> Diagnosis:
        """What half precision does to the model; empty if that was not examined."""
        found = None if self.record is None else self.record.diagnosis
        return Diagnosis() if found is None else found


@dataclass(frozen=True)
class ComparedCommit:
    """One of the two commits that the page compares."""

    title: str
    commit: str
    facts: tuple[tuple[str, str, bool], ...]
    """What it was measured with, each with whether the other side differs."""


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The page as HTML."""
    table = build_table(verdict)
    statuses = {row.model.verdict for row in table.rows}
    return page_template("report.html.j2").render(
        verdict=verdict,
        status=verdict.verdict,
        headline=headline(verdict),
        comparison=comparison(verdict),
        counts=counts(verdict),
        statuses=[status for status in reversed(SEVERITY) if status in statuses],
        commits=_commits(verdict, options),
        table=table,
        linked={row.model.name for row in table.in_full},
        sections=(_section(at, row, table.titles, options) for at, row in enumerate(table.in_full)),
        skipped=skipped_groups(verdict.skipped),
        assets=assets("report"),
    )


def _section(at: int, row: Row, titles: tuple[str, ...], options: ReportOptions) -> Section:
    model, findings = row.model, gravest_first(row.model.findings)
    record = None if options.record is None else options.record.model(model.name)
    base = None if options.base is None else options.base.model(model.name)
    found = {} if record is None else drawn(record, base)
    return Section(
        model=model,
        figures=tuple((title, cell) for title, cell in zip(titles, row.cells, strict=True) if cell),
        open=tuple(finding for finding in findings if finding.status not in _SETTLED),
        settled=tuple(finding for finding in findings if finding.status in _SETTLED),
        structure=tuple(line for finding in model.of("structure") for line in finding.details),
        record=record,
        data=packed(found) if found else "",
        unfolded=at < MOST_OPEN and (at == 0 or model.verdict is not Status.PASS),
    )


def _commits(verdict: Verdict, options: ReportOptions) -> tuple[ComparedCommit, ...]:
    """Base and head, if both were measured."""
    if not verdict.baseline.present:
        return ()
    head, base = _versions(options.record), _versions(options.base)
    changed = " with uncommitted changes" if verdict.dirty else ""
    return (
        ComparedCommit("Base", _short(verdict.baseline.commit), _facts(base, head)),
        ComparedCommit("Head", _short(verdict.commit) + changed, _facts(head, base)),
    )


def _versions(record: Record | None) -> Mapping[str, str]:
    measured: Environment | None = None if record is None else record.environment
    return {} if measured is None else {tool: str(getattr(measured, tool)) for tool in _TOOLS}


def _facts(own: Mapping[str, str], other: Mapping[str, str]) -> tuple[tuple[str, str, bool], ...]:
    return tuple(
        (_LABELS.get(tool, tool), version, other.get(tool, version) != version)
        for tool, version in own.items()
    )


def _short(commit: str | None) -> str:
    return short(commit) if commit else "the work tree"
