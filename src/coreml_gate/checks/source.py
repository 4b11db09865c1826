"""Could the source be built, run and measured at all?

A Record comes from elsewhere: one with neither a measurement nor a problem proves nothing, so it fails.
"""

from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import LOST_WEIGHTS, Evidence
from coreml_gate.record import SourceFacts
from coreml_gate.verdict import Finding, Status

NAME: Final = "source"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """A failure with the problem and its hint, a warning of lost weights, or nothing if the source ran."""
    problem = evidence.head.problem
    if problem is None:
        if evidence.head.source is None:
            return (_unexplained(),)
        return (_lost_weights(evidence.head.source),) if evidence.lost_its_weights else ()
    return (
        Finding(
            check=NAME,
            status=Status.FAIL,
            subject=problem.kind,
            message=problem.message,
            hint=problem.hint,
            details=problem.log_tail,
        ),
    )


def _lost_weights(source: SourceFacts) -> Finding:
    return Finding(
        check=NAME,
        status=Status.WARN,
        subject="weights",
        message=f"the model looks untrained, the baseline's does not: {'; '.join(source.untrained_signs)}.",
        hint=LOST_WEIGHTS,
    )


def _unexplained() -> Finding:
    return Finding(
        check=NAME,
        status=Status.FAIL,
        subject="record",
        message="the Record has no measurement of the source and no problem that explains it.",
        hint="measure the model again.",
    )


CHECK: Final = Check(
    NAME,
    "Can the source be imported, built and run?",
    run,
    limit="no error",
    why="A model that cannot be built or run cannot be converted, so it was not checked.",
    fix=("Run the callable of `source` in a fresh environment; the message names the line that raised."),
    accept=(
        "A model that could not be measured cannot be accepted. Remove it from the configuration instead."
    ),
    page="docs/configuration.md",
    overridable=False,
)
