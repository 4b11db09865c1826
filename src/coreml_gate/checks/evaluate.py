"""Does the package do its task as well as the source, and as well as the baseline's package?"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import MAX_METRICS, Check, Column
from coreml_gate.checks.evidence import LOST_WEIGHTS, Evidence, skipped
from coreml_gate.config.limits import EvaluateLimits
from coreml_gate.criteria import Violation, also, gravest_first
from coreml_gate.record import ModelRecord, Side
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import alike, listed, moved, number, passing_maximum, passing_minimum

NAME: Final = "evaluate"
SUBJECT: Final = "metrics"

_ROUNDING: Final = 1e-12
"""Relative tolerance for a difference of two metrics: in float64, 0.98 - 0.978 is more than 0.002."""

_NUMERICAL: Final = "parity and precision name the cause."
_INTENDED: Final = "If this change is intended, change the limit of the metric."
_SOURCES_SHARE: Final = 0.9
"""Of a change against the baseline: as much of it the source has as well if conversion is not the cause."""


@dataclass(frozen=True)
class Metric:
    """One metric of ``evaluate`` for each side; ``None`` for a side that did not predict."""

    name: str
    package: float
    source: float | None
    float32: float | None
    base: float | None


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per metric; its value is the package's number."""
    if evidence.config.evaluate is None:
        return (skipped(NAME, SUBJECT, "no `evaluate` is configured."),)
    metrics = _metrics(evidence.head, evidence.before)
    if not metrics:
        return (evidence.unmeasured(NAME, SUBJECT, lost=Status.FAIL),)
    limits = evidence.limits.evaluate
    findings = [_finding(metric, limits.get(metric.name), evidence) for metric in metrics]
    names = [metric.name for metric in metrics]
    return (*findings, *_unreturned(names, evidence))


def _metrics(head: ModelRecord, base: ModelRecord) -> tuple[Metric, ...]:
    names = dict.fromkeys(metric.name for metric in head.metrics)
    found = []
    for name in names:
        package = _package_value(head, name)
        if package is not None:
            sides = _value(head, name, "source"), _value(head, name, "fp32")
            found.append(Metric(name, package, *sides, _package_value(base, name)))
    return tuple(found)


def _value(model: ModelRecord, name: str, side: Side) -> float | None:
    return next((each.value for each in model.metrics if (each.name, each.side) == (name, side)), None)


def _package_value(model: ModelRecord, name: str) -> float | None:
    """The value of the package that ships, which may be the float32 one."""
    shipped = _value(model, name, "fp16")
    return _value(model, name, "fp32") if shipped is None else shipped


def _unreturned(names: list[str], evidence: Evidence) -> Iterator[Finding]:
    """Metrics that a limit or the baseline names but ``evaluate`` does not return.

    A limit without its metric fails: a misspelt name would otherwise look like protection for ever, and the
    author can always correct it. A metric that only the baseline has is a warning.
    """
    returned = f"`evaluate` returns {listed(names)}"
    for name in evidence.limits.evaluate:
        if name not in names:
            hint = "name the metric as `evaluate` does, or remove the limit."
            yield _missing(name, Status.FAIL, f"has a limit but no value: {returned}.", hint)
    known = dict.fromkeys(metric.name for metric in evidence.before.metrics)
    for name in known:
        if name not in names and name not in evidence.limits.evaluate:
            yield _missing(name, Status.WARN, f"is in the baseline, but no longer measured: {returned}.", "")


def _missing(name: str, status: Status, text: str, hint: str) -> Finding:
    return Finding(check=NAME, status=status, subject=name, message=f"metric `{name}` {text}", hint=hint)


def _finding(metric: Metric, limits: EvaluateLimits | None, evidence: Evidence) -> Finding:
    raised = () if limits is None else _violations(metric, limits, evidence.regression)
    summary = f"`{metric.name}` is {_shown(metric)}"
    return Finding(
        check=NAME,
        status=raised[0].status if raised else Status.PASS,
        subject=metric.name,
        message=f"`{metric.name}` {raised[0].message}.{raised[0].remedy}"
        if raised
        else f"{summary}{'' if limits is not None else '; no limit is set'}.",
        value=metric.package,
        base=metric.base,
        limit=None if limits is None else _bound(metric, limits),
        hint=_hint(metric, evidence) if raised else "",
        details=(
            *also(raised),
            *(() if metric.base is None else evidence.toolchain_changes),
            *(() if metric.float32 is None else (f"float32 package: {number(metric.float32, 6)}",)),
        ),
    )


def _hint(metric: Metric, evidence: Evidence) -> str:
    """Whether the source itself has changed, which neither conversion nor FP16 explains."""
    source, base = metric.source, metric.base
    changed = 0.0 if base is None else abs(metric.package - base)
    if source is None or base is None or not changed or abs(source - base) < _SOURCES_SHARE * changed:
        return f"{_NUMERICAL} {_INTENDED}"
    shown, *_ = alike(source, metric.package)
    why = f"The model looks untrained: {LOST_WEIGHTS}" if evidence.lost_its_weights else _INTENDED
    own = f"the source itself gives {shown}: the model, its weights or `evaluate` changed"
    return f"{own}, not the conversion. {why}"


def _shown(metric: Metric, *left_out: str) -> str:
    """``0.970 (source 0.980, baseline 0.960)``: the package's value, then those of the others."""
    others = (("source", metric.source), ("baseline", metric.base))
    known = [(name, value) for name, value in others if value is not None and name not in left_out]
    own, *beside = alike(metric.package, *(value for _, value in known))
    words = ", ".join(f"{name} {text}" for (name, _), text in zip(known, beside, strict=True))
    return f"{own} ({words})" if words else own


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
    return _beyond(metric, "minimum", limits.least, f"least = {passing_minimum(metric.package)}")


def _above_most(metric: Metric, limits: EvaluateLimits) -> Violation | None:
    if limits.most is None or metric.package <= limits.most:
        return None
    return _beyond(metric, "maximum", limits.most, f"most = {passing_maximum(metric.package, 4)}")


def _beyond(metric: Metric, word: str, limit: float, passes_with: str) -> Violation:
    """A value on the wrong side of a fixed limit; no scale says which other limit would be close."""
    shown, bound = alike(metric.package, limit)
    return Violation(f"is {shown}, {word} {bound}", passes_with, excess=math.inf)


def _change(
    metric: Metric, limits: EvaluateLimits, name: str, reference: float, status: Status
) -> Violation | None:
    """A drop of more than max-drop, or a rise of more than max-rise."""
    slack = _ROUNDING * max(abs(metric.package), abs(reference))
    for verb, noun, change, allowed in (
        ("fell", "drop", reference - metric.package, limits.max_drop),
        ("rose", "rise", metric.package - reference, limits.max_rise),
    ):
        if allowed is not None and change > allowed + slack:
            cause = ", which the other toolchain may explain" if status is Status.UNSURE else ""
            before, after, limit = moved(reference, metric.package, allowed)
            return Violation(
                f"{verb} from {before} ({name}) to {after} (package), allowed {noun} {limit}{cause}",
                passes_with=f"max-{noun} = {passing_maximum(change, 3)}",
                status=status,
                excess=change / allowed if allowed else math.inf,
            )
    return None


def _bound(metric: Metric, limits: EvaluateLimits) -> float | None:
    """The limit on the metric's own scale: the tightest lower bound, else the tightest upper bound."""
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
    "Does the package still reach the model's metric?",
    run,
    limit="yours",
    why="By your own metric, the package is worse than the source or the baseline.",
    fix=(
        "Look at `precision` and `parity` first: they name the operation. If both pass, the model itself "
        "changed."
    ),
    accept="`limits.evaluate.METRIC` sets how far a metric may fall (`max-drop`) or rise (`max-rise`).",
    page="docs/configuration.md",
    absolute=True,
    numerical=True,
    column=Column(
        "Metric",
        "task",
        f"up to {MAX_METRICS} metrics of `evaluate`, worst first",
        figures.difference,
        figures.number,
        by_subject=True,
    ),
)
