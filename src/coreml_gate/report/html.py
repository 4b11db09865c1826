"""The report as one page: no script, nothing loaded from elsewhere, readable on a phone and in the dark.

Besides the Verdict it shows what only the Record holds, where that is given: hazards, the operations by their
error, the alignment with the source, and the bytes alive over the program.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from coreml_gate.figures import byte_unit
from coreml_gate.foreign.escape import pieces, plain, visible
from coreml_gate.record import Diagnosis, ModelRecord
from coreml_gate.report.headline import comparison, counts, headline, overall_status
from coreml_gate.report.options import ReportOptions
from coreml_gate.report.sections import gravest_first, skipped_groups
from coreml_gate.report.table import Row, build_table
from coreml_gate.report.templating import environment
from coreml_gate.verdict import Finding, ModelVerdict, Status, Verdict

_SETTLED: Final = (Status.PASS, Status.SKIPPED)
_LEAST_ERROR: Final = 1e-6
"""Where the bars of errors begin; they end at 1, the size of the result itself, on a logarithmic scale."""
_LINE_HEIGHT: Final = 100


@dataclass(frozen=True)
class Section:
    """One model: what is not plainly fine, what is, and what was measured of it."""

    model: ModelVerdict
    open: tuple[Finding, ...]
    settled: tuple[Finding, ...]
    record: ModelRecord | None

    @property
    def diagnosis(self) -> Diagnosis:
        """What half precision does to it; empty where nobody looked."""
        found = None if self.record is None else self.record.diagnosis
        return Diagnosis() if found is None else found


def render(verdict: Verdict, options: ReportOptions) -> str:
    """The page as HTML."""
    table = build_table(verdict)
    return _template().render(
        verdict=verdict,
        status=overall_status(verdict),
        headline=headline(verdict),
        comparison=comparison(verdict),
        counts=counts(verdict),
        table=table,
        sections=[_section(row, options) for row in table.rows],
        skipped=skipped_groups(verdict.skipped),
    )


def _section(row: Row, options: ReportOptions) -> Section:
    findings = gravest_first(row.model.findings)
    return Section(
        model=row.model,
        open=tuple(finding for finding in findings if finding.status not in _SETTLED),
        settled=tuple(finding for finding in findings if finding.status in _SETTLED),
        record=None if options.record is None else options.record.model(row.model.name),
    )


@cache
def _template() -> jinja2.Template:
    made = environment(_visible, autoescape=True)
    made.filters |= {
        "message": message,
        "keep": lambda line: Markup(escape(visible(line).rstrip())),  # noqa: S704 - escaped
        "megabytes": lambda size: byte_unit([size]).show(size),
        "share": _share,
        "bar": _bar,
        "curve": _curve,
        "anchor": _anchor,
    }
    return made.get_template("report.html.j2")


def message(words: str) -> Markup:
    """A message of ours: its code spans become code, everything else is escaped."""
    spans = pieces(plain(words))
    return Markup("").join(
        Markup("<code>{}</code>").format(text) if is_code else escape(text) for is_code, text in spans
    )


def _visible(value: Any) -> Any:  # noqa: ANN401 - the template prints values of any type
    """Foreign text without characters that show nothing or turn the direction of what follows."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _share(error: float) -> str:
    return f"{error:.2g}" if error < 1 else "≥ 1"


def _bar(error: float) -> int:
    """Per cent of the bar: 0 for 1e-6, 100 for 1 and more."""
    if error <= _LEAST_ERROR:
        return 0
    return min(100, round(100 * (1 - math.log(min(error, 1.0)) / math.log(_LEAST_ERROR))))


def _curve(sizes: tuple[int, ...]) -> str:
    """The points of a stepped line in a box of ``len(sizes)`` by 100, the greatest at the top."""
    top = max(sizes, default=0) or 1
    heights = [_LINE_HEIGHT - _LINE_HEIGHT * size / top for size in sizes]
    steps = (f"{at},{height:.1f} {at + 1},{height:.1f}" for at, height in enumerate(heights))
    return " ".join([f"0,{_LINE_HEIGHT}", *steps, f"{len(sizes)},{_LINE_HEIGHT}"])


def _anchor(name: str) -> str:
    """A name for a link inside the page."""
    return "model-" + "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name)
