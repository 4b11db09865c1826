"""Verdict to text: pure functions, one module per format, nothing measured and nothing judged."""

from collections.abc import Callable
from typing import Final

from coreml_gate.report import document, html, junit, markdown, sarif, terminal
from coreml_gate.report.options import ReportOptions
from coreml_gate.verdict import Verdict

Render = Callable[[Verdict, ReportOptions], str]
"""What every format offers."""

FORMATS: Final[dict[str, Render]] = {
    "terminal": terminal.render,
    "markdown": markdown.render,
    "html": html.render,
    "json": document.render,
    "junit": junit.render,
    "sarif": sarif.render,
}
"""The formats by the name that a user gives."""

__all__ = ["FORMATS", "Render", "ReportOptions"]
