"""Hard-swish, which programs write as ``x * sigmoid_hard(x)``, by torch's one kernel.

Its rounding differs from that of the two operations by a unit in the last place, so watched runs take its
result as well: an observer sees both run, and the product is the kernel's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from torch.nn import functional

from coreml_gate.runtime.fusion.wires import HARD_SWISH, Wires
from coreml_gate.runtime.ops.activation import TORCHS_ALPHA, TORCHS_BETA
from coreml_gate.runtime.plan import ExecutionPlan, Step

_FACTOR: Final = "sigmoid_hard"


def with_hard_swishes(plan: ExecutionPlan) -> Sequence[Step]:
    """The steps of watched runs: products keep what they read, and are the kernel's."""
    wires = Wires(plan, plan.steps)
    return [_fused(place, wires, shown=True) for place in range(len(plan.steps))]


def hard_swishes(plan: ExecutionPlan, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps of unwatched runs: without the factors that nothing else reads."""
    wires = Wires(plan, steps)
    fused = [_fused(place, wires, shown=False) for place in range(len(steps))]
    left = Wires(plan, fused)
    return [step for step in fused if step.operation.type != _FACTOR or left.is_read(step.writes[0])]


def _fused(place: int, wires: Wires, *, shown: bool) -> Step:
    """The step, or what computes the hard-swish that it ends."""
    step, x = wires.steps[place], _operand(place, wires)
    if x is None:
        return step
    if shown:
        index = step.reads.index(x)
        return replace(step, call=lambda *operands: functional.hardswish(operands[index]))
    operation = replace(step.operation, type=HARD_SWISH)
    return replace(step, operation=operation, call=functional.hardswish, reads=(x,), names=("x",))


def _operand(place: int, wires: Wires) -> int | None:
    """What a product is the hard-swish of: float32, with torch's own constants."""
    step = wires.steps[place]
    kind = wires.type(step.writes[0]) if step.operation.type == "mul" else None
    if kind is None or kind.dtype != "fp32":
        return None
    for x, factor in (step.reads, step.reads[::-1]):
        made = wires.writer(factor)
        if made is not None and _is_factor(wires.steps[made], x, wires):
            return x
    return None


def _is_factor(step: Step, x: int, wires: Wires) -> bool:
    constants = (TORCHS_ALPHA, TORCHS_BETA)
    return (
        step.operation.type == _FACTOR and step.reads[0] == x and wires.constants(step.reads[1:]) == constants
    )
