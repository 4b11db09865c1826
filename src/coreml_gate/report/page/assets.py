"""The page's style and scripts, which are part of the page, and the policy that forbids all others."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

_STYLES: Final = ("vendor/uplot/uPlot.min.css", "page.css")
PageKind = Literal["report", "history"]
_SCRIPTS: Final[Mapping[PageKind, tuple[str, ...]]] = {
    "report": (
        "vendor/uplot/uPlot.iife.min.js",
        "parts.js",
        "table.js",
        "charts.js",
        "model_charts.js",
        "program.js",
        "model.js",
    ),
    "history": ("vendor/uplot/uPlot.iife.min.js", "parts.js", "charts.js", "history.js"),
}
"""In order of dependency."""
_FAST: Final = 6
"""Compression level with which a page of 200 models takes seconds."""


@dataclass(frozen=True)
class Assets:
    """The style, scripts and policy that all pages of a kind share."""

    style: str
    script: str

    @property
    def policy(self) -> str:
        """A Content-Security-Policy that allows this style and this script and loads nothing."""
        return f"default-src 'none'; style-src {_source(self.style)}; script-src {_source(self.script)}"


@cache
def assets(kind: PageKind) -> Assets:
    """The assets that a page of this kind needs."""
    return Assets(_joined(_STYLES), _joined(_SCRIPTS[kind]))


def packed(data: Mapping[str, object]) -> str:
    """Data for the scripts, compressed and in base64, which cannot begin or end a tag."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), _FAST, mtime=0)).decode()


def _joined(names: tuple[str, ...]) -> str:
    folder = files(__package__)
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8").strip() for name in names)


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
