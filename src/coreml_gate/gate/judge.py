"""Judges two Records by the limits of a configuration: a pure function, also for stored Records.

Besides the findings of the checks, a judged model has notes: reasons to doubt its figures.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from coreml_gate.checks import Evidence, examine
from coreml_gate.checks.latency import adjusted_p_values
from coreml_gate.config import Config, ModelConfig
from coreml_gate.frozen import changed
from coreml_gate.gate.ranking import rank
from coreml_gate.record import Metric, ModelRecord, Record, SourceFacts
from coreml_gate.tested_versions import TESTED, untested
from coreml_gate.timing import ALPHA
from coreml_gate.verdict import (
    BaselineFacts,
    Finding,
    ModelVerdict,
    SkippedVerdict,
    Status,
    Verdict,
)
from coreml_gate.wording import listed

_SETTLED: Final = (Status.PASS, Status.SKIPPED)
LEAST_SENSITIVITY: Final = 0.1
"""Below it, an output hardly depends on the input: untrained nets gave .03 to .06, trained ones .6 to .9."""
LEAST_SAMPLES: Final = 4
"""One FP16 model gave 40.6 dB on one input and 47 to 52 dB on four others; fewer samples hide the spread."""


def judge(config: Config, head: Record, base: Record | None, baseline: BaselineFacts) -> Verdict:
    """Judge every model that is in both the configuration and the head's Record.

    The others are skipped with a reason. A model may be in the Record only: a pull request that adds one is
    judged with the base branch's configuration, and must still get its comment.
    """
    named = [(model, head.model(model.name)) for model in config.model]
    measured = [(model, record) for model, record in named if record is not None]
    p_values = adjusted_p_values([(record, model.limits.latency) for model, record in measured])
    family_alpha = ALPHA / max(1, sum(map(len, p_values.values())))
    models = tuple(
        _judge_model(
            _evidence(model, record, (head, base), p_values.get(model.name, {}), family_alpha),
            fail_on_unsure=config.gate.fail_on_unsure,
        )
        for model, record in measured
    )
    return Verdict(
        commit=head.commit,
        dirty=head.dirty,
        engine=_engine(head),
        baseline=baseline,
        models=models,
        skipped=_skipped(config, head),
        findings=_lost(config, head),
    )


def _engine(head: Record) -> str:
    """The engine of the numbers, plus ``coreml``, or ``stand-in`` if that replaced Core ML anywhere."""
    machines = [model.core_ml.machine for model in head.models if model.core_ml is not None]
    if not machines:
        return head.engine
    return f"{head.engine}+{'stand-in' if any(each.stand_in for each in machines) else 'coreml'}"


def _evidence(
    config: ModelConfig,
    measured: ModelRecord,
    records: tuple[Record, Record | None],
    p_values: Mapping[Metric, float],
    family_alpha: float,
) -> Evidence:
    head, base = records
    return Evidence(
        config=config,
        head=measured,
        base=None if base is None else base.model(config.name),
        environment=head.environment,
        base_environment=None if base is None else base.environment,
        p_values=p_values,
        family_alpha=family_alpha,
    )


def _judge_model(evidence: Evidence, *, fail_on_unsure: bool) -> ModelVerdict:
    config, problem = evidence.config, evidence.head.problem
    return ModelVerdict(
        name=config.name,
        findings=tuple(_located(finding, config) for finding in examine(evidence)),
        problem_exit_code=0 if problem is None else problem.exit_code,
        fail_on_unsure=fail_on_unsure,
        notes=notes(evidence),
        untrained=is_untrained(evidence),
        ranking=rank(config, evidence.head, evidence.environment),
    )


def _located(finding: Finding, config: ModelConfig) -> Finding:
    """Point at the file that builds the model, unless the check knows a better place."""
    file, separator, _ = config.source.rpartition(":")
    if finding.file or finding.status in _SETTLED or not separator or not file.endswith(".py"):
        return finding
    return changed(finding, file=file)


def _lost(config: Config, head: Record) -> tuple[Finding, ...]:
    """The models of which the Record holds neither a measurement nor a reason: they may have changed."""
    known = {*(model.name for model in head.models), *(model.name for model in head.skipped)}
    lost = [model.name for model in config.model if model.name not in known]
    if not lost:
        return ()
    finding = Finding(
        check="record",
        status=Status.FAIL if config.gate.fail_on_unsure else Status.UNSURE,
        subject="record",
        message=f"the record holds neither a measurement of {listed(lost)} nor a reason for its absence.",
        hint="measure with the configuration that judges; a model that the change removes is named there.",
    )
    return (finding,)


def _skipped(config: Config, head: Record) -> tuple[SkippedVerdict, ...]:
    """Models of the configuration without a measurement, then models of the Record without limits."""
    reasons = {model.name: model.reason for model in head.skipped}
    named = [model.name for model in config.model]
    unmeasured = [
        SkippedVerdict(name=name, reason=reasons.get(name, "not in the record."))
        for name in named
        if head.model(name) is None
    ]
    recorded = [*(model.name for model in head.models), *(model.name for model in head.skipped)]
    unnamed = [name for name in recorded if name not in named]
    reason = "the configuration that judges does not name it, so it has no limits."
    return (*unmeasured, *(SkippedVerdict(name=name, reason=reason) for name in unnamed))


def notes(evidence: Evidence) -> tuple[str, ...]:
    """Reasons to doubt the figures, one or two sentences each, the gravest first."""
    environment = evidence.environment
    releases = {name: getattr(environment, name) for name in TESTED}
    source, conversion = evidence.head.source, evidence.head.conversion
    return (
        *untested(releases),
        *(() if source is None else _source_notes(source)),
        *_few_samples(evidence),
        *_other_samples(evidence),
        *(() if conversion is None else conversion.notes),
        *_base_problem(evidence),
    )


def is_untrained(evidence: Evidence) -> bool:
    """Whether the weights look untrained."""
    source = evidence.head.source
    return source is not None and bool(source.untrained_signs)


def _source_notes(source: SourceFacts) -> Iterator[str]:
    if source.untrained_signs:
        signs = "; ".join(source.untrained_signs)
        yield f"likely untrained ({signs}): numerical errors of untrained models mislead, in both directions."
    for output in source.sensitivity:
        if output.value < LEAST_SENSITIVITY:
            yield (
                f"output `{output.output}`: it hardly depends on the input (sensitivity {output.value:.2g}, "
                f"expected at least {LEAST_SENSITIVITY}): good numbers prove nothing."
            )
    if source.random_samples:
        yield "random samples, because the configuration names none; real inputs may reach other values."


def _few_samples(evidence: Evidence) -> Iterator[str]:
    compared = {each.sample for each in (*evidence.head.parity, *evidence.head.precision)}
    if 0 < len(compared) < LEAST_SAMPLES:
        yield (
            f"few samples: {len(compared)} compared, at least {LEAST_SAMPLES} expected: "
            "one input is not representative."
        )


def _base_problem(evidence: Evidence) -> Iterator[str]:
    base = evidence.base
    if base is None:
        if evidence.base_environment is not None:
            yield "the baseline does not have this model, so it is not compared."
    elif base.problem is not None:
        yield f"the baseline of this model is incomplete ({base.problem.kind}): {base.problem.message}"
    elif base.package is None:
        yield "the baseline of this model is incomplete: it has no package."


def _other_samples(evidence: Evidence) -> Iterator[str]:
    base, head = evidence.before.source, evidence.head.source
    if base is None or head is None or "" in (base.samples_digest, head.samples_digest):
        return
    if base.samples_digest != head.samples_digest:
        yield (
            f"other samples than the baseline's ({base.samples} then, {head.samples} now): this also "
            "changes the numbers of outputs."
        )
