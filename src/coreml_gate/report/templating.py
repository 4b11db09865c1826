"""Settings of the report templates: a missing value is an error, control lines leave no blank line."""

from collections.abc import Callable
from typing import Any

import jinja2

from coreml_gate.report import ranking
from coreml_gate.report.headline import MARKS
from coreml_gate.wording import counted


def environment(finalize: Callable[[Any], Any], *, autoescape: bool) -> jinja2.Environment:
    """An environment with the filters that all templates share; ``finalize`` is applied to every value."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("coreml_gate.report"),
        autoescape=autoescape,  # noqa: S701 - not for Markdown, which ``finalize`` escapes
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "candidates": ranking.table,
        "count": counted,
        "footnotes": ranking.footnotes,
        "mark": MARKS.__getitem__,
    }
    return made
