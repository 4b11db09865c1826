"""What changed in the program: operations added, removed, fused, moved, re-typed, other weights?

No change of structure is wrong by itself, so this answers and never fails. It compares the outlines that both
Records hold: a stored baseline without its package is as good as a rebuilt one, and judging stays pure.
"""

from collections.abc import Iterator
from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence
from coreml_gate.mil.diff import Diff, of_itself
from coreml_gate.mil.diff_changes import changes
from coreml_gate.record import PackageFacts
from coreml_gate.verdict import Finding, Status

NAME: Final = "structure"
SUBJECT: Final = "program"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding with up to ten lines of details; none where there is nothing to compare."""
    found = _found(evidence)
    if found is None:
        return ()
    return (
        Finding(
            check=NAME,
            status=Status.PASS,
            subject=SUBJECT,
            message=f"{SUBJECT}: {found.headline()}",
            details=(*_details(found, evidence), *evidence.toolchain_changes) if found.changes else (),
        ),
    )


def _found(evidence: Evidence) -> Diff | None:
    """What changed; equal programs, the most of many, need not be read for it."""
    lines = evidence.head.outline
    if lines and evidence.before.outline == lines:
        return of_itself(lines)
    return None if evidence.matching is None else changes(evidence.matching)


def _details(found: Diff, evidence: Evidence) -> Iterator[str]:
    yield from found.lines()
    package = evidence.head.package
    if package is not None:
        yield f"to look at it: pip install netron; netron {model_file(package)}"


def model_file(package: PackageFacts) -> str:
    """The file inside of a package that Netron opens."""
    return f"{package.path}/Data/com.apple.CoreML/model.mlmodel"


CHECK: Final = Check(
    NAME,
    "What changed in the program?",
    run,
    limit="shown",
    why="A change of structure is not wrong by itself, but it explains other findings.",
    fix="`coreml-gate diff` shows the two programs operation by operation.",
    page="docs/diff.md",
    overridable=False,
    needs="baseline",
)
