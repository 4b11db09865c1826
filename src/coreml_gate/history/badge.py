"""A badge for a README: as an image, and as the description from which shields.io makes one."""

import json
from typing import Final

from coreml_gate.report.page.template import page_template
from coreml_gate.verdict import Status

LABEL: Final = "coreml-gate"
_WORDS: Final = {
    Status.PASS: ("passing", "#1a7f37"),
    Status.WARN: ("warnings", "#9a6700"),
    Status.FAIL: ("failing", "#cf222e"),
    Status.UNSURE: ("unsure", "#8250df"),
    Status.SKIPPED: ("skipped", "#59636e"),
}
_LETTER: Final = 6.6
"""Pixels of a letter of the badge's font, on average."""
_PADDING: Final = 12


def svg(status: Status) -> str:
    """The badge as an image."""
    words, colour = _WORDS[status]
    left, right = _width(LABEL), _width(words)
    return page_template("badge.svg.j2").render(
        label=LABEL, words=words, colour=colour, left=left, right=right
    )


def endpoint(status: Status) -> str:
    """The badge as JSON for shields.io (https://shields.io/badges/endpoint-badge)."""
    words, colour = _WORDS[status]
    return json.dumps({"schemaVersion": 1, "label": LABEL, "message": words, "color": colour}) + "\n"


def _width(words: str) -> int:
    return round(len(words) * _LETTER) + _PADDING
