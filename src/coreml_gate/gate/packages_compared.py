"""The packages of a model as candidates, each judged by the limits that need no baseline."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from coreml_gate.checks import CHECKS, Evidence, source
from coreml_gate.config import ModelConfig, ModelVariant
from coreml_gate.config.inherit import configured
from coreml_gate.config.limits import EvaluateLimits
from coreml_gate.criteria import least_psnr
from coreml_gate.frozen import changed
from coreml_gate.gate.latency_by_package import Speeds
from coreml_gate.record import Environment, MetricValue, ModelRecord
from coreml_gate.verdict import Candidate, Finding, Status

NOT_TIMED: Final = Speeds()


def candidates(
    config: ModelConfig, measured: ModelRecord, environment: Environment, speeds: Speeds = NOT_TIMED
) -> Iterator[Candidate]:
    """The package that ships, then the variants.

    A variant that the configuration does not name is held to the model's limits; a pull request that adds one
    is judged with the base branch's configuration.
    """
    known = {variant.name: variant for variant in config.variant}
    metric = deciding_metric(config, measured)
    yield _timed(_candidate(config, measured, environment, metric, ships=True), speeds)
    for record in measured.variants:
        own = configured(config, known.get(record.name, ModelVariant(name=record.name)))
        metrics, source_facts = _against_model(record, measured), record.source or measured.source
        compared = changed(record, metrics=metrics, source=source_facts)
        yield _timed(_candidate(own, compared, environment, metric), speeds)


def _timed(candidate: Candidate, speeds: Speeds) -> Candidate:
    return changed(candidate, latency_ms=speeds.ms.get(candidate.name))


def deciding_metric(config: ModelConfig, measured: ModelRecord) -> str:
    """The first metric whose limits show which direction is better, or empty."""
    named = {metric.name for metric in measured.metrics}
    limited = (
        name for name, limits in config.limits.evaluate.items() if name in named and _direction(limits)
    )
    return next(limited, "")


def higher_is_better(config: ModelConfig, metric: str) -> bool:
    """Whether higher is better for this metric; without a metric, PSNR decides, where it is."""
    return not metric or _direction(config.limits.evaluate[metric]) == "higher"


def _direction(limits: EvaluateLimits) -> Literal["higher", "lower", ""]:
    if limits.max_drop is not None or limits.least is not None:
        return "higher"
    return "lower" if limits.max_rise is not None or limits.most is not None else ""


def _against_model(variant: ModelRecord, model: ModelRecord) -> tuple[MetricValue, ...]:
    """The variant's metrics, with the model's source as the reference whatever its own source is."""
    own = tuple(metric for metric in variant.metrics if metric.side != "source")
    return (*(metric for metric in model.metrics if metric.side == "source"), *own) if own else ()


def _candidate(
    config: ModelConfig, record: ModelRecord, environment: Environment, metric: str, *, ships: bool = False
) -> Candidate:
    evidence = Evidence(config, record, None, environment, None)
    findings = (*source.CHECK.run(evidence), *_answers(evidence))
    eligible, reason = _eligible(findings)
    package, memory, cost = record.package, record.memory, record.cost
    bits = [each for each in findings if each.check == "compression" and each.unit]
    return Candidate(
        name=record.name,
        ships=ships,
        eligible=eligible,
        reason=reason,
        size_bytes=None if package is None else package.total_bytes,
        memory_bytes=None if memory is None else memory.total_bytes,
        macs=None if cost is None else cost.macs,
        moved_bytes=None if cost is None else cost.bytes,
        metric=_value(findings, metric),
        psnr=least_psnr(record.precision),
        bits=bits[0].value if bits else None,
        findings=findings,
    )


def _answers(evidence: Evidence) -> Iterator[Finding]:
    """The findings of all checks that need no baseline."""
    for check in CHECKS.values():
        if check.absolute:
            yield from check.run(evidence)


def _eligible(findings: Iterable[Finding]) -> tuple[Literal["yes", "no", "unsure"], str]:
    """Not eligible after any failure, ``unsure`` after any unsure finding; with the first such message."""
    first = {finding.status: finding for finding in reversed(tuple(findings))}
    if Status.FAIL in first:
        return "no", f"{first[Status.FAIL].check}: {first[Status.FAIL].message}"
    if Status.UNSURE in first:
        return "unsure", f"{first[Status.UNSURE].check}: {first[Status.UNSURE].message}"
    return "yes", ""


def _value(findings: Iterable[Finding], metric: str) -> float | None:
    found = (each for each in findings if metric and each.check == "evaluate" and each.subject == metric)
    return next((finding.value for finding in found), None)
