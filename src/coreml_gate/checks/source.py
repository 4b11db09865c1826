"""Could the source be built, run and measured at all?"""

from typing import Final

from coreml_gate.checks.evidence import Evidence
from coreml_gate.verdict import Finding, Status

CHECK: Final = "source"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """A failure with the problem's own way out, or nothing: that a source runs is no news."""
    problem = evidence.head.problem
    if problem is None:
        return ()
    return (
        Finding(
            check=CHECK,
            status=Status.FAIL,
            subject=problem.kind,
            message=problem.message,
            hint=problem.hint,
            details=problem.log_tail,
        ),
    )
