"""Does the package do the user's task as well as the source, and as well as the baseline's package?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import MAX_METRICS, Check, Column
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.config import EvaluateLimits
from coreml_gate.criteria import Violation, gravest_first
from coreml_gate.record import ModelRecord, Side
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import listed, number, passing_maximum, passing_minimum

NAME: Final = "evaluate"
SUBJECT: Final = "metrics"

_ROUNDING: Final = 1e-12
"""Slack for the difference of two metrics, as a share of them: in float64 0.98 - 0.978 is more than 0.002."""

_HINT: Final = (
    "look at parity and precision above for the cause; a package that is wanted as it is needs another limit."
)


@dataclass(frozen=True)
class Metric:
    """One number of ``evaluate`` by who predicted; a side that did not predict is ``None``."""

    name: str
    package: float
    source: float | None
    float32: float | None
    base: float | None


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per metric; its value is the package's number."""
    if evidence.config.evaluate is None:
        return (skipped(NAME, SUBJECT, "no `evaluate` is configured."),)
    metrics = _metrics(evidence.head, evidence.base)
    if not metrics:
        return (evidence.unmeasured(NAME, SUBJECT),)
    limits = evidence.limits.evaluate
    findings = [_finding(metric, limits.get(metric.name), evidence) for metric in metrics]
    names = [metric.name for metric in metrics]
    return (*findings, *_unreturned(names, evidence))


def _metrics(head: ModelRecord, base: ModelRecord | None) -> tuple[Metric, ...]:
    names = dict.fromkeys(metric.name for metric in head.metrics)
    found = []
    for name in names:
        package = _package_value(head, name)
        if package is not None:
            sides = _value(head, name, "source"), _value(head, name, "fp32")
            found.append(Metric(name, package, *sides, None if base is None else _package_value(base, name)))
    return tuple(found)


def _value(model: ModelRecord, name: str, side: Side) -> float | None:
    return next((each.value for each in model.metrics if (each.name, each.side) == (name, side)), None)


def _package_value(model: ModelRecord, name: str) -> float | None:
    """The number of the package that ships, which is the float32 one when there is no other."""
    shipped = _value(model, name, "fp16")
    return _value(model, name, "fp32") if shipped is None else shipped


def _unreturned(names: list[str], evidence: Evidence) -> Iterator[Finding]:
    """Metrics that are asked for, by a limit or by the baseline, and not there.

    A limit on nothing guards nothing, and a misspelt one would look like a guard for ever; the author can
    always mend it. So it fails, while a metric that only the baseline has is a warning.
    """
    returned = f"`evaluate` returns {listed(names)}"
    for name in evidence.limits.evaluate:
        if name not in names:
            hint = "name the metric as `evaluate` does, or remove the limit."
            yield _missing(name, Status.FAIL, f"has a limit but no value: {returned}.", hint)
    known = () if evidence.base is None else dict.fromkeys(metric.name for metric in evidence.base.metrics)
    for name in known:
        if name not in names and name not in evidence.limits.evaluate:
            yield _missing(name, Status.WARN, f"is in the baseline and no longer measured: {returned}.", "")


def _missing(name: str, status: Status, text: str, hint: str) -> Finding:
    return Finding(check=NAME, status=status, subject=name, message=f"metric `{name}` {text}", hint=hint)


def _finding(metric: Metric, limits: EvaluateLimits | None, evidence: Evidence) -> Finding:
    raised = () if limits is None else _violations(metric, limits, evidence.regression)
    asked = "" if limits is not None else "; no limit is set"
    summary = f"metric `{metric.name}`: {_summary(metric)}"
    return Finding(
        check=NAME,
        status=raised[0].status if raised else Status.PASS,
        subject=metric.name,
        message=f"{summary}, {raised[0].message}.{raised[0].remedy}" if raised else f"{summary}{asked}.",
        value=metric.package,
        base=metric.base,
        limit=None if limits is None else _bound(metric, limits),
        hint=_HINT if raised else "",
        details=(
            *(f"also: {violation.message}" for violation in raised[1:]),
            *(() if metric.base is None else evidence.toolchain_changes),
            *(() if metric.float32 is None else (f"float32 package: {number(metric.float32, 6)}",)),
        ),
    )


def _summary(metric: Metric) -> str:
    source = "" if metric.source is None else f", source {number(metric.source, 6)}"
    base = "" if metric.base is None else f", baseline {number(metric.base, 6)}"
    return f"package {number(metric.package, 6)}{source}{base}"


def _violations(metric: Metric, limits: EvaluateLimits, regression: Status) -> tuple[Violation, ...]:
    references = (("source", metric.source, Status.FAIL), ("baseline", metric.base, regression))
    changes = (
        _change(metric, limits, name, reference, status)
        for name, reference, status in references
        if reference is not None
    )
    return gravest_first((_below_least(metric, limits), _above_most(metric, limits), *changes))


def _below_least(metric: Metric, limits: EvaluateLimits) -> Violation | None:
    if limits.least is None or metric.package >= limits.least:
        return None
    return Violation(
        f"allowed is no less than {number(limits.least, 6)}",
        passes_with=f"least = {passing_minimum(metric.package)}",
    )


def _above_most(metric: Metric, limits: EvaluateLimits) -> Violation | None:
    if limits.most is None or metric.package <= limits.most:
        return None
    return Violation(
        f"allowed is no more than {number(limits.most, 6)}",
        passes_with=f"most = {passing_maximum(metric.package, 4)}",
    )


def _change(
    metric: Metric, limits: EvaluateLimits, name: str, reference: float, status: Status
) -> Violation | None:
    """A fall beyond max-drop or a rise beyond max-rise."""
    slack = _ROUNDING * max(abs(metric.package), abs(reference))
    for verb, change, allowed, key in (
        ("fell", reference - metric.package, limits.max_drop, "max-drop"),
        ("rose", metric.package - reference, limits.max_rise, "max-rise"),
    ):
        if allowed is not None and change > allowed + slack:
            cause = ", which the other toolchain may explain" if status is Status.UNSURE else ""
            return Violation(
                f"it {verb} by {number(change)} from the {name}, allowed {number(allowed)}{cause}",
                passes_with=f"{key} = {passing_maximum(change, 3)}",
                status=status,
            )
    return None


def _bound(metric: Metric, limits: EvaluateLimits) -> float | None:
    """The allowed number on the metric's own scale: the tightest lower bound, else the tightest upper one."""
    references = [reference for reference in (metric.source, metric.base) if reference is not None]
    lower = [] if limits.least is None else [limits.least]
    upper = [] if limits.most is None else [limits.most]
    if limits.max_drop is not None:
        lower += [reference - limits.max_drop for reference in references]
    if limits.max_rise is not None:
        upper += [reference + limits.max_rise for reference in references]
    return max(lower) if lower else min(upper, default=None)


CHECK: Final = Check(
    NAME,
    "Does the package still reach the model's own metric?",
    run,
    limit="yours",
    absolute=True,
    numerical=True,
    column=Column(
        "Metric",
        "task",
        f"up to {MAX_METRICS} metrics of `evaluate`, the gravest first",
        figures.difference,
        figures.number,
        by_subject=True,
    ),
)
