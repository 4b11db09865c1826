"""Groups of operations, and steps of a plan, as fewer and cheaper ones, for runs without an observer.

Each family reads the steps and gives new ones with the same results. What lies between fused steps is lost
to an observer, so the plan of watched runs stays as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from coreml_gate.runtime.fusion.activations import activated_layers
from coreml_gate.runtime.fusion.groups import FUSED, fused_block
from coreml_gate.runtime.fusion.halves import exact_before_rounding, exact_on_widened
from coreml_gate.runtime.fusion.in_place import in_place
from coreml_gate.runtime.fusion.residual import residual_sums
from coreml_gate.runtime.fusion.tables import looked_up
from coreml_gate.runtime.fusion.wires import with_frees
from coreml_gate.runtime.plan import ExecutionPlan, Step

FAMILIES: tuple[Callable[[ExecutionPlan, Sequence[Step]], Sequence[Step]], ...] = (
    residual_sums,
    activated_layers,
    exact_before_rounding,
    in_place,
    looked_up,
    exact_on_widened,
)
"""In this order: what overwrites its operand has to see who still reads it."""


__all__ = ["FAMILIES", "FUSED", "fused_block", "fused_steps"]


def fused_steps(plan: ExecutionPlan) -> ExecutionPlan:
    """The plan with its steps fused, and with registers of its own, which a family may add to."""
    plan = replace(plan, registers=plan.registers.copy())
    steps = plan.steps
    for family in FAMILIES:
        steps = with_frees(family(plan, steps), plan)
    return replace(plan, steps=steps)
