"""Could the source be built, run and measured at all?"""

from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence
from coreml_gate.verdict import Finding, Status

NAME: Final = "source"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """A failure with the problem's own way out, or nothing: that a source runs is no news."""
    problem = evidence.head.problem
    if problem is None:
        return ()
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


CHECK: Final = Check(
    NAME,
    "Can the source be imported, built and run?",
    run,
    limit="no error",
)
