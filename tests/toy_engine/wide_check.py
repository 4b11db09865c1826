"""How far is the source from itself in float64? The check of an engine that only the tests know."""

from typing import Final

from coreml_gate import figures
from coreml_gate.checks import Check, Column, Evidence
from coreml_gate.criteria import least_psnr
from coreml_gate.verdict import Finding, Status

NAME: Final = "wide"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding where the engine ran, with the least PSNR."""
    facts = evidence.head.engine(NAME)
    if facts is None:
        return ()
    if facts.status == "failed":
        return (Finding(check=NAME, status=Status.UNSURE, subject="float64", message=facts.message),)
    least = least_psnr(facts.against_source)
    message = f"float64: PSNR {least:.0f} dB against float32 on {len(facts.against_source)} samples."
    return (
        Finding(check=NAME, status=Status.WARN, subject="float64", message=message, value=least, unit="dB"),
    )


CHECK: Final = Check(
    NAME,
    "How far is the source from itself in float64?",
    run,
    limit="shown",
    why="It shows how much the source itself rounds.",
    fix="Nothing to fix.",
    overridable=False,
    column=Column("Float64", "engine", "PSNR against float64", figures.difference, figures.number),
)
