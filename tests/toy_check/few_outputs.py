"""Does the package have few outputs? A check that only the tests know, as any other check is written."""

from typing import Final

from coreml_gate import figures
from coreml_gate.checks import Check, Column, Evidence
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted

NAME: Final = "few-outputs"
MOST: Final = 0


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding with the number of outputs."""
    package = evidence.head.package
    if package is None:
        return (evidence.no_package(NAME, "outputs"),)
    count = len(package.outputs)
    return (
        Finding(
            check=NAME,
            status=Status.WARN if count > MOST else Status.PASS,
            subject="outputs",
            message=f"the package has {counted(count, 'output')}, allowed {MOST}.",
            value=count,
            limit=MOST,
        ),
    )


CHECK: Final = Check(
    NAME,
    "Does the package have few outputs?",
    run,
    limit=f"at most {MOST}",
    why="The app reads none of them.",
    fix="Return one tensor.",
    absolute=True,
    column=Column("Outputs", "resources", "outputs of the package", figures.difference, figures.number),
)
