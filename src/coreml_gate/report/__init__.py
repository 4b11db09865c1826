"""Turns a Verdict into text: pure functions, one module per format, which neither measure nor judge."""

from collections.abc import Callable
from typing import Final

from coreml_gate.report import document, html, junit, markdown, sarif, terminal
from coreml_gate.report.options import ReportOptions
from coreml_gate.verdict import Verdict

Render = Callable[[Verdict, ReportOptions], str]
"""The signature of every format."""

FORMATS: Final[dict[str, Render]] = {
    "terminal": terminal.render,
    "markdown": markdown.render,
    "html": html.render,
    "json": document.render,
    "junit": junit.render,
    "sarif": sarif.render,
}
"""The formats by name."""

__all__ = ["FORMATS", "Render", "ReportOptions"]
