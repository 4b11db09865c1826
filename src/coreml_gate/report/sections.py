"""What a report for people says below its table: why models block, warnings, what was not measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from coreml_gate.frozen import changed
from coreml_gate.report.headline import must_not_merge, not_measured
from coreml_gate.verdict import SEVERITY, Finding, ModelVerdict, SkippedVerdict, Status, Verdict

MAX_REASONS: Final = 3
"""Reasons for not measuring that are named in the line; the rest are counted."""


@dataclass(frozen=True)
class Explained:
    """A model that blocks, with the findings for which there is room."""

    model: ModelVerdict
    heading: str
    """``must not merge`` or ``could not be measured``."""
    findings: tuple[Finding, ...]
    more: int
    """Findings that block, too, and for which there is none."""


@dataclass(frozen=True)
class Aside:
    """A finding that does not block, and its model."""

    model: str
    finding: Finding


@dataclass(frozen=True)
class SkippedGroup:
    """The models that were not measured for one reason."""

    reason: str
    models: tuple[str, ...]


def explain(verdict: Verdict, lines: int, *, hints: bool = True) -> list[Explained]:
    """The models that block, each with as many findings as fit; a message and a hint take one line each.

    The last one loses its hint where there is no line left for it.
    """
    blockers = [model for model in verdict.models if must_not_merge(model) or not_measured(model)]
    return [_explain(model, blocks(verdict), lines, hints) for model in blockers] if lines else []


def blocks(verdict: Verdict) -> tuple[Status, ...]:
    """Statuses that keep a model from merging."""
    return (Status.FAIL, Status.UNSURE) if verdict.fail_on_unsure else (Status.FAIL,)


def asides(verdict: Verdict, status: Status) -> list[Aside]:
    """All findings of this status that do not block."""
    if status in blocks(verdict):
        return []
    return [
        Aside(model.name, finding)
        for model in verdict.models
        for finding in _told_once(finding for finding in model.findings if finding.status is status)
    ]


def _told_once(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of several checks that cannot tell for the same reason as one that names the checks."""
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
    """Failures first; findings of one status stay in the order of the checks."""
    return sorted(findings, key=lambda finding: SEVERITY.index(finding.status), reverse=True)


def skipped_groups(skipped: tuple[SkippedVerdict, ...]) -> list[SkippedGroup]:
    """The models that were not measured by reason, the commonest first."""
    names: dict[str, list[str]] = {}
    for model in skipped:
        names.setdefault(model.reason.rstrip("."), []).append(model.name)
    groups = [SkippedGroup(reason, tuple(models)) for reason, models in names.items()]
    return sorted(groups, key=lambda group: len(group.models), reverse=True)


def _explain(model: ModelVerdict, blocking: tuple[Status, ...], lines: int, hints: bool) -> Explained:  # noqa: FBT001 - passed on from ``explain``, which names it
    failures = gravest_first(_told_once(finding for finding in model.findings if finding.status in blocking))
    shown: list[Finding] = []
    for finding in failures:
        if lines < 1:
            break
        has_room = hints and bool(finding.hint) and (lines > 1 or not shown)
        shown.append(finding if has_room else changed(finding, hint=""))
        lines -= 1 + has_room
    heading = "could not be measured" if not_measured(model) else "must not merge"
    return Explained(model, heading, tuple(shown), len(failures) - len(shown))
