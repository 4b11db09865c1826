"""Groups of operations, and steps of a plan, as fewer and cheaper ones, for runs without an observer.

Each family reads the steps and gives new ones with the same results. What lies between fused steps is lost
to an observer, so the plan of watched runs stays as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from coreml_gate.runtime.fusion.groups import FUSED, fused_block
from coreml_gate.runtime.fusion.hard_swish import hard_swishes, with_hard_swishes
from coreml_gate.runtime.fusion.in_place import in_place
from coreml_gate.runtime.fusion.residual import residual_sums
from coreml_gate.runtime.fusion.wires import with_frees
from coreml_gate.runtime.plan import ExecutionPlan, Step

FAMILIES: tuple[Callable[[ExecutionPlan, Sequence[Step]], Sequence[Step]], ...] = (
    hard_swishes,
    residual_sums,
    in_place,
)
"""In this order: what overwrites its operand has to see who still reads it."""


__all__ = ["FAMILIES", "FUSED", "fused_block", "fused_steps", "watched_steps"]


def watched_steps(plan: ExecutionPlan) -> ExecutionPlan:
    """The plan of watched runs: it shows every operation, and gives the results of the fused steps."""
    return replace(plan, steps=tuple(with_hard_swishes(plan)))


def fused_steps(plan: ExecutionPlan) -> ExecutionPlan:
    """The plan with its steps fused."""
    steps = plan.steps
    for family in FAMILIES:
        steps = with_frees(family(plan, steps), plan)
    return replace(plan, steps=steps)
