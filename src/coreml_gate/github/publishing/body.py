"""The body of the comment: the report, or the reason for none, with links to the run and to lines."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from coreml_gate.github.api.event import Event
from coreml_gate.github.judging.no_verdict import NoVerdict, described
from coreml_gate.github.without_install import no_verdict_body
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.report.sarif import is_inside
from coreml_gate.verdict import Verdict

_ROOM: Final = 1_000
"""Bytes reserved for the links to run and page and for the stamp."""
_DOCS: Final = "https://github.com/coreml-gate/coreml-gate/blob/main/docs/github.md"
_IN_REACH: Final = (
    "⚠️ The models' code ran as the user of this job, so the job's token was within its reach: "
    f"[how to keep them apart]({_DOCS}#who-holds-a-token)."
)
_CODE: Final = re.compile(r"(```.*?```|``.*?``|`[^`\n]*`)", re.DOTALL)
_PLACE: Final = re.compile(
    r"(?<!\]\()(?<![\w/.\\\[&;=-])((?:[\w.-]|\\_|/)+\.[a-z]{1,5}):(?:&#8203;)?(\d{1,7})\b"
)
"""A file and line, but not within an address or a link's text; underscores are escaped."""


def body_of(
    judged: Verdict | NoVerdict, event: Event, options: ReportOptions, *, token_in_reach: bool = False
) -> Callable[[str], str]:
    """A function from the body of an earlier comment to the new body."""
    if isinstance(judged, NoVerdict):
        reason = described(judged)
        return lambda before: no_verdict_body(options.key, event.stamp, reason, event.run_url, before)
    report = FORMATS["markdown"](judged, replace(options, limit=options.limit - _ROOM))
    linked = with_links_to_lines(report, event.blob_url)
    text = linked if len(linked.encode()) <= options.limit - _ROOM else report
    warning = f"{_IN_REACH}\n\n" if token_in_reach else ""
    body = f"{text.rstrip()}\n\n{warning}{run_link(event.run_url)}\n{event.stamp}\n"
    return lambda _: body


def run_link(run_url: str) -> str:
    """The line with the link to the run; :func:`with_page` finds it again."""
    return f"[The run]({run_url})"


def with_page(body: str, run_url: str, page_url: str) -> str:
    """The body with a link to the page beside the one to the run, if that is found."""
    alone = f"\n{run_link(run_url)}\n"
    return body.replace(alone, f"\n[The whole report]({page_url}) · {run_link(run_url)}\n", 1)


def with_links_to_lines(markdown: str, blob_url: str) -> str:
    """The Markdown with each `file:line` outside of code as a link to that line at a commit."""
    parts = _CODE.split(markdown)
    return "".join(part if number % 2 else _linked(part, blob_url) for number, part in enumerate(parts))


def _linked(text: str, blob_url: str) -> str:
    def link(found: re.Match[str]) -> str:
        path = found[1].replace("\\", "")
        if not is_inside(path):
            return found[0]
        return f"[{found[1]}:{found[2]}]({blob_url}/{quote(path)}#L{found[2]})"

    return _PLACE.sub(link, text)
