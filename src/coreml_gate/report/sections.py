"""The sections below the table in reports for people: why models block, warnings, models not measured."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from coreml_gate.frozen import changed
from coreml_gate.report.headline import not_measured
from coreml_gate.verdict import SEVERITY, Finding, ModelVerdict, SkippedVerdict, Status, Verdict
from coreml_gate.wording import counted, joined

MAX_REASONS: Final = 3
"""Reasons for not measuring that are named; the rest are counted."""
_HAVE: Final = {
    Status.FAIL: "failed",
    Status.WARN: "warned",
    Status.UNSURE: "unsure",
    Status.PASS: "passed",
    Status.SKIPPED: "skipped",
}


@dataclass(frozen=True)
class Explained:
    """A model that blocks, and why."""

    model: ModelVerdict
    heading: str
    """``must not merge`` or ``could not be measured``."""
    findings: tuple[Finding, ...]
    """The blocking findings in the order of the checks, so that a cause comes before its effects."""

    @property
    def first(self) -> Finding | None:
        """The finding to look at first: one that points at a line if possible."""
        return next((each for each in self.findings if each.line), next(iter(self.findings), None))

    @property
    def place(self) -> str:
        """``models/net.py:41``: the line that :attr:`first` points at; empty where it points at none."""
        return f"{self.first.file}:{self.first.line}" if self.first and self.first.line else ""

    @property
    def patch(self) -> tuple[str, ...]:
        """The configuration that fixes it, to be copied."""
        return next((finding.patch for finding in self.findings if finding.patch), ())

    @property
    def further(self) -> tuple[str, ...]:
        """The other failed checks."""
        checks = dict.fromkeys(finding.check for finding in self.findings)
        return tuple(check for check in checks if self.first and check != self.first.check)


@dataclass(frozen=True)
class Aside:
    """A finding that does not block, with the models that have it."""

    models: tuple[str, ...]
    finding: Finding


@dataclass(frozen=True)
class SkippedGroup:
    """The models that were not measured for the same reason."""

    reason: str
    models: tuple[str, ...]


def explain(verdict: Verdict) -> list[Explained]:
    """The models that block, in the Verdict's order."""
    return [_explain(model) for model in verdict.models if model.exit_code]


def asides(verdict: Verdict, status: Status, *, of_blocked: bool = True) -> list[Aside]:
    """All findings of this status that do not block, grouped over models with the same finding.

    ``of_blocked`` includes those of models that block for another reason.
    """
    by_text: dict[tuple[str, str, str], tuple[Finding, list[str]]] = {}
    for model in verdict.models:
        if status in model.blocking or (not of_blocked and model.exit_code):
            continue
        for finding in _said_once(finding for finding in model.findings if finding.status is status):
            key = (finding.check, finding.message, finding.hint)
            by_text.setdefault(key, (finding, []))[1].append(model.name)
    return [Aside(tuple(names), finding) for finding, names in by_text.values()]


def _said_once(findings: Iterable[Finding]) -> list[Finding]:
    """Join findings that are unsure for the same reason into one that names all their checks."""
    by_text: dict[tuple[str, str, str], list[Finding]] = {}
    for number, finding in enumerate(findings):
        shared = finding.status is Status.UNSURE
        by_text.setdefault((finding.message, finding.hint, "" if shared else str(number)), []).append(finding)
    return [
        alike[0] if len(alike) == 1 else changed(alike[0], check=_names(alike)) for alike in by_text.values()
    ]


def _names(findings: Iterable[Finding]) -> str:
    return ", ".join(dict.fromkeys(finding.check for finding in findings))


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Failures first, otherwise in the order of the checks."""
    return sorted(findings, key=lambda finding: SEVERITY.index(finding.status), reverse=True)


def skipped_groups(skipped: tuple[SkippedVerdict, ...]) -> list[SkippedGroup]:
    """The models that were not measured by reason, the most common reason first."""
    names: dict[str, list[str]] = {}
    for model in skipped:
        names.setdefault(model.reason.rstrip("."), []).append(model.name)
    groups = [SkippedGroup(reason, tuple(models)) for reason, models in names.items()]
    return sorted(groups, key=lambda group: len(group.models), reverse=True)


def summary_of(findings: Iterable[Finding]) -> str:
    """``3 failed (size, parity and evaluate), 1 warned, 2 passed``: findings by status, gravest first."""
    found = list(findings)
    number = Counter(finding.status for finding in found)
    parts = (_part(status, number[status], found) for status in reversed(SEVERITY) if number[status])
    return ", ".join(parts) or counted(0, "finding")


def _part(status: Status, number: int, findings: Iterable[Finding]) -> str:
    words = f"{number:,} {_HAVE[status]}"
    if status is not Status.FAIL:
        return words
    names = list(dict.fromkeys(finding.check for finding in findings if finding.status is status))
    return f"{words} ({joined(names)})"


def _explain(model: ModelVerdict) -> Explained:
    blocking = (finding for finding in model.findings if finding.status in model.blocking)
    found = gravest_first(_said_once(blocking))
    heading = "could not be measured" if not_measured(model) else "must not merge"
    return Explained(model, heading, tuple(found))
