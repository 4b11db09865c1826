"""How much memory do weights and live activations take at the peak, for the worst shape?

The figure follows from the program alone, so it is the same on every machine. Core ML needs more, for its own
buffers, which are not part of the figure; the details list what is known about them.
"""

from collections.abc import Iterator
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.budget import Budget, budget_limit, judge_budget
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence
from coreml_gate.config.limits import MemoryLimits
from coreml_gate.record import MemoryFacts, OverheadFacts, ShapeMemory
from coreml_gate.verdict import Finding
from coreml_gate.wording import listed, megabytes

NAME: Final = "memory"
SUBJECT: Final = "peak"


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in MB (10^6 bytes); its details list the largest values alive at the peak."""
    memory = evidence.head.memory
    if memory is None:
        return (evidence.unmeasured(NAME, SUBJECT),)
    base = evidence.before.memory
    budget = Budget(
        subject=SUBJECT,
        head=memory.total_bytes,
        base=None if base is None else base.total_bytes,
        limits=evidence.limits.memory,
        parts=_parts(memory),
    )
    hint = (
        f"make the values alive at `{memory.worst.peak_operation}` smaller (see the details), or the weights."
    )
    return (judge_budget(NAME, budget, evidence, hint, tuple(_details(memory, base))),)


def _parts(memory: MemoryFacts) -> str:
    return f"weights {megabytes(memory.weight_bytes)}, activations {_peak(memory.worst)}"


def _peak(shape: ShapeMemory) -> str:
    place = f" for {shape.shape}" if shape.shape else ""
    return f"{megabytes(shape.activation_bytes or 0)} at `{shape.peak_operation}`{place}"


def _details(memory: MemoryFacts, base: MemoryFacts | None) -> Iterator[str]:
    if base is not None:
        yield f"baseline: {_parts(base)}"
    place = f" for {memory.shape}" if memory.shape else ""
    for value in memory.live:
        yield f"alive at the peak{place}: `{value.name}` {megabytes(value.bytes)}"
    others = [name for name in memory.near_peak if name != memory.peak_operation]
    if others:
        yield f"also at 95 % of the peak or more: {listed(others)}"
    if memory.timeline:
        yield f"live bytes over the program: {figures.sparkline(memory.timeline)}"
    for shape in memory.other_shapes:
        peak = f"not measured, {shape.problem}" if shape.activation_bytes is None else _peak(shape)
        yield f"activations: {peak}" if shape.activation_bytes is not None else f"{shape.shape}: {peak}"
    yield from map(_overhead, memory.overheads)


def _overhead(extra: OverheadFacts) -> str:
    lasts = ", while the model is loaded" if extra.lasting else ""
    return (
        f"an engine may need in addition: {extra.kind} of `{extra.operation}` {megabytes(extra.bytes)} "
        f"({extra.text}{lasts})"
    )


CHECK: Final = Check(
    NAME,
    "Do weights and activations fit the device?",
    run,
    limit=budget_limit(MemoryLimits()),
    why="An app gets about half of a phone's RAM. If it uses more, iOS ends it without a message.",
    fix=(
        "The finding names the values that are alive at the peak. Compress the weights, or compute large "
        "intermediate values in pieces."
    ),
    accept="`limits.memory` sets the greatest memory and growth.",
    page="docs/memory.md",
    absolute=True,
    column=Column(
        "Memory",
        "resources",
        "weights and live activations at the peak, in one unit for the column",
        figures.percent_change,
    ),
)
