"""How does LiteRT (TensorFlow Lite) convert the same source? Only for comparison: it never blocks."""

from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.criteria import least_psnr, sample_line
from coreml_gate.record import LiteRtFacts
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import megabytes, number

NAME: Final = "litert"
SUBJECT: Final = "LiteRT"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in MB if LiteRT is configured, else none."""
    facts = evidence.head.litert
    if facts is None:
        return ()
    if facts.status == "not-installed":
        return (skipped(NAME, SUBJECT, facts.message),)
    if facts.status == "failed":
        message = f"{SUBJECT} cannot convert this source: {facts.message}"
        return (Finding(check=NAME, status=Status.UNSURE, subject=SUBJECT, message=message),)
    size = facts.size_bytes or 0
    return (
        Finding(
            check=NAME,
            status=Status.PASS,
            subject=SUBJECT,
            message=f"{SUBJECT}: {'; '.join(_parts(facts, evidence))}.",
            value=size / 1e6,
            unit="MB",
            details=(
                f"{facts.versions}; float32, on this machine's CPU; not timed, because it is not a phone",
                *(sample_line(each) for each in facts.against_source),
            ),
        ),
    )


def _parts(facts: LiteRtFacts, evidence: Evidence) -> tuple[str, ...]:
    """Size, parity and metrics, each beside the package's own if there is one."""
    package, least = evidence.head.package, least_psnr(facts.against_source)
    beside = "" if package is None else f", the package {megabytes(package.total_bytes)}"
    answer = "equal to the source" if least is None else f"PSNR {least:.1f} dB against the source"
    metrics = (f"{metric.name} {number(metric.value, 4)}" for metric in facts.metrics)
    return (f"float32 file of {megabytes(facts.size_bytes or 0)}{beside}", answer, *metrics)


CHECK: Final = Check(
    NAME,
    "Does LiteRT convert the same source to the same results?",
    run,
    limit="shown",
    why="A second converter of the same source shows whether an error is Core ML's or the model's.",
    fix="There is nothing to fix: this is only a comparison.",
    page="docs/configuration.md",
    overridable=False,
    needs="LiteRT",
)
