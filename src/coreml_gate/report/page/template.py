"""How a page's templates print: foreign text is escaped, and names are shortened to fit a table."""

import hashlib
import re
from functools import cache
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from coreml_gate.foreign.escape import pieces, plain, short_name, visible
from coreml_gate.report.templating import environment

_LONGEST_ANCHOR: Final = 60


@cache
def page_template(name: str) -> jinja2.Template:
    """A template of a page, with the filters for foreign text."""
    made = environment(_visible, autoescape=True)
    made.filters |= {
        "message": message,
        "keep": lambda line: Markup(escape(visible(line).rstrip())),  # noqa: S704 - escaped
        "anchor": _anchor,
        "name": short_name,
        "ours": Markup,  # our own style and scripts, and base64
    }
    return made.get_template(name)


def message(words: str) -> Markup:
    """One of our messages: its code spans become code, everything else is escaped."""
    spans = pieces(plain(words))
    return Markup("").join(
        Markup("<code>{}</code>").format(text) if is_code else escape(text) for is_code, text in spans
    )


def _visible(value: Any) -> Any:  # noqa: ANN401 - the template prints values of any type
    """Foreign text without characters that are invisible or change the direction of the text."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _anchor(name: str) -> str:
    """A name for a link inside the page; a digest replaces characters that are removed or cut."""
    kept = re.sub(r"[^A-Za-z0-9._-]", "-", name)[:_LONGEST_ANCHOR]
    digest = "" if kept == name else f"-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"
    return f"model-{kept}{digest}"
