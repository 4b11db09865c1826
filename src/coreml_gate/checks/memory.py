"""How much memory do weights and live activations take at the peak?

The figure follows from the program alone, so it is the same on every machine; what Core ML really takes is
more (its own buffers) and is not claimed.
"""

from typing import Final

from coreml_gate.checks.budget import Budget, judge_budget
from coreml_gate.checks.evidence import Evidence
from coreml_gate.checks.wording import megabytes
from coreml_gate.record import MemoryFacts
from coreml_gate.verdict import Finding

CHECK: Final = "memory"
SUBJECT: Final = "peak"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in MB (10^6 bytes), with the largest values alive at the peak in its details."""
    memory = evidence.head.memory
    if memory is None:
        return (evidence.unmeasured(CHECK, SUBJECT),)
    base = None if evidence.base is None else evidence.base.memory
    limits = evidence.limits.memory
    budget = Budget(
        subject=SUBJECT,
        head=_total(memory),
        base=None if base is None else _total(base),
        max_mb=limits.max_mb,
        max_ratio=limits.max_ratio,
        ratio_from_mb=limits.ratio_from_mb,
        parts=_parts(memory),
    )
    hint = f"make the values alive at `{memory.peak_operation}` smaller (see the details), or the weights."
    return (judge_budget(CHECK, budget, evidence, hint, _details(memory, base)),)


def _total(memory: MemoryFacts) -> int:
    return memory.weight_bytes + memory.activation_bytes


def _parts(memory: MemoryFacts) -> str:
    return (
        f"weights {megabytes(memory.weight_bytes)}, activations {megabytes(memory.activation_bytes)} "
        f"at `{memory.peak_operation}`"
    )


def _details(memory: MemoryFacts, base: MemoryFacts | None) -> tuple[str, ...]:
    baseline = () if base is None else (f"baseline: {_parts(base)}",)
    live = (f"alive at the peak: `{value.name}` {megabytes(value.bytes)}" for value in memory.live)
    return (*baseline, *live)
