"""How large is the package on disk, and how much has it grown?"""

from typing import Final

from coreml_gate import figures
from coreml_gate.checks.budget import Budget, budget_limit, judge_budget
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence
from coreml_gate.config.limits import SizeLimits
from coreml_gate.record import PackageFacts
from coreml_gate.verdict import Finding
from coreml_gate.wording import megabytes

NAME: Final = "size"
SUBJECT: Final = "package"

_HINT: Final = (
    'ship smaller weights ([model.compress]; precision = "float16" halves them), or raise the limit.'
)


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in MB (10^6 bytes)."""
    package = evidence.head.package
    if package is None:
        return (evidence.unmeasured(NAME, SUBJECT),)
    base = evidence.before.package
    budget = Budget(
        subject=SUBJECT,
        head=package.total_bytes,
        base=None if base is None else base.total_bytes,
        limits=evidence.limits.size,
        parts=_parts(package),
    )
    details = () if base is None else (f"baseline: {_parts(base)}",)
    return (judge_budget(NAME, budget, evidence, _HINT, details),)


def _parts(package: PackageFacts) -> str:
    return f"weights {megabytes(package.weight_bytes)}, program {megabytes(package.program_bytes)}"


CHECK: Final = Check(
    NAME,
    "Is the package small enough?",
    run,
    limit=budget_limit(SizeLimits()),
    why=(
        "iOS requires consent to download more than 200 MB over a cellular network, and a large app is "
        "installed less often."
    ),
    fix="`coreml-gate compress MODEL` finds the smallest compression that keeps the metric.",
    accept="`limits.size` sets the greatest size and growth.",
    page="docs/variants.md",
    absolute=True,
    column=Column(
        "Size", "resources", "the package on disk, in one unit for the column", figures.percent_change
    ),
)
