"""Findings at their lines: as annotations of a check run, and as commands in the log of a job.

A command is a line of the log that starts with ``::``. Whatever foreign text goes into one is escaped as
actions/toolkit does it; foreign text elsewhere in the log is printed while commands are switched off.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from coreml_gate.foreign.escape import plain, shortened
from coreml_gate.report.sarif import is_inside
from coreml_gate.verdict import SEVERITY, Finding, Status, Verdict
from coreml_gate.wording import counted

MAX_PER_LEVEL: Final = 10
"""Most annotations of one level that GitHub shows for a step."""
MAX_IN_CHECK: Final = 200
_MESSAGE: Final = 2_000
_TITLE: Final = 200

Level = Literal["error", "warning", "notice"]
_LEVELS: Final[dict[Status, Level]] = {
    Status.FAIL: "error",
    Status.WARN: "warning",
    Status.UNSURE: "notice",
}


@dataclass(frozen=True)
class Annotation:
    """One finding at a line of a file."""

    level: Level
    path: str
    """Relative to the repository, or empty."""
    line: int
    title: str
    message: str


def annotations_of(verdict: Verdict) -> tuple[Annotation, ...]:
    """Every finding that is neither pass nor skipped, failures first, in the order of the models."""
    found = [*(("coreml-gate", finding) for finding in verdict.findings), *verdict.of_models]
    blamed = [(finding, _annotation(name, finding)) for name, finding in found if finding.status in _LEVELS]
    blamed.sort(key=lambda pair: SEVERITY.index(pair[0].status), reverse=True)
    return tuple(annotation for _, annotation in blamed)


def commands(annotations: Sequence[Annotation]) -> Iterator[str]:
    """The annotations as lines for the log, as many as GitHub shows, and a notice about the rest."""
    shown: Counter[Level] = Counter()
    for annotation in annotations:
        shown[annotation.level] += 1
        if shown[annotation.level] <= MAX_PER_LEVEL:
            yield _command(annotation)
    hidden = sum(max(0, count - MAX_PER_LEVEL) for count in shown.values())
    if hidden:
        yield f"the report has {counted(hidden, 'more annotation')}: GitHub shows {MAX_PER_LEVEL} of a level."


def notice(message: str, level: Level = "notice") -> str:
    """A line for the log that is not a finding."""
    return f"::{level} title=coreml-gate::{_data(message)}"


def stop_commands(token: str) -> tuple[str, str]:
    """The lines that switch commands off and on again; the text between them must not know the token."""
    return f"::stop-commands::{token}", f"::{token}::"


def _annotation(name: str, finding: Finding) -> Annotation:
    hint = f"\nHint: {plain(finding.hint)}" if finding.hint else ""
    return Annotation(
        level=_LEVELS[finding.status],
        path=finding.file if is_inside(finding.file) else "",
        line=finding.line or 1,
        title=shortened(f"{plain(name)}: {plain(finding.check)}", _TITLE),
        message=shortened(f"{plain(finding.message)}{hint}", _MESSAGE),
    )


def _command(annotation: Annotation) -> str:
    place = f"file={_property(annotation.path)},line={annotation.line}," if annotation.path else ""
    return f"::{annotation.level} {place}title={_property(annotation.title)}::{_data(annotation.message)}"


def _data(text: str) -> str:
    """Escaped text, including ``##[``, which starts the runner's older commands anywhere in a line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace("##[", "# #[")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
