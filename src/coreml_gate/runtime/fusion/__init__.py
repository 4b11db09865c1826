"""Fuses operations and steps of a plan into fewer and cheaper ones, for runs without an observer.

Each family reads the steps and returns new ones with the same results. An observer could not see the values
between fused steps, so the plan of observed runs stays unchanged.
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
"""In this order, because overwriting an operand requires knowing its remaining readers."""


__all__ = ["FAMILIES", "FUSED", "fused_block", "fused_steps"]


def fused_steps(plan: ExecutionPlan) -> ExecutionPlan:
    """The plan with fused steps, and with its own registers, to which a family may add."""
    plan = replace(plan, registers=plan.registers.copy())
    steps = plan.steps
    for family in FAMILIES:
        steps = with_frees(family(plan, steps), plan)
    return replace(plan, steps=steps)
