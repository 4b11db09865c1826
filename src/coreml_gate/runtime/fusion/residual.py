"""Fuses a sum directly after a packed layer: the layer adds its result to the other operand.

This applies to float32 only: in half precision the layer's result is rounded before the sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from coreml_gate.runtime.fusion.trial import TriedCall
from coreml_gate.runtime.fusion.wires import RESIDUAL_SUM, Wires
from coreml_gate.runtime.packed import ExtensibleKernel
from coreml_gate.runtime.plan import ExecutionPlan, Step

_OPERANDS = 2
_NAMES = ("y", "x")


def residual_sums(plan: ExecutionPlan, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps with every such sum fused, one by one, because each moves its layer after other steps."""
    place = 0
    while place < len(steps):
        wires = Wires(plan, steps)
        found = next((sum_ for at in range(place, len(steps)) if (sum_ := _sum(at, wires))), None)
        if found is None:
            return steps
        place, layer, fused = found
        steps = [*steps[:layer], *steps[layer + 1 : place], fused, *steps[place + 1 :]]
    return steps


def _sum(place: int, wires: Wires) -> tuple[int, int, Step] | None:
    """The places of a fusible sum and of its layer, and the step that replaces both."""
    step = wires.steps[place]
    if step.operation.type != "add" or len(step.reads) != _OPERANDS:
        return None
    for product, other in (step.reads, step.reads[::-1]):
        layer = wires.writer(product)
        if layer is None or not wires.only_reader(product, place) or not wires.may_overwrite(other, place):
            continue
        made = wires.steps[layer]
        kernel, x = made.kernel if made.operation.type != RESIDUAL_SUM else None, made.reads[0]
        same = wires.type(product) == wires.type(other) is not None
        apart = other not in {x, product} and not wires.overwritten(x, layer, place)
        if isinstance(kernel, ExtensibleKernel) and same and apart:
            return place, layer, _fused(step, kernel, (other, x))
    return None


def _fused(step: Step, kernel: ExtensibleKernel, reads: tuple[int, int]) -> Step:
    plain = _one_after_the_other(kernel, step, other_first=step.reads[0] == reads[0])
    call = TriedCall(kernel.add_to, plain, kernel.sums)
    operation = replace(step.operation, type=RESIDUAL_SUM)
    return replace(step, operation=operation, call=call, reads=reads, names=_NAMES, kernel=kernel)


def _one_after_the_other(
    kernel: ExtensibleKernel, step: Step, *, other_first: bool
) -> Callable[[Tensor, Tensor], Tensor]:
    """The program's sum, whose layout follows its first operand."""

    def plain(other: Tensor, x: Tensor) -> Tensor:
        total: Tensor = step.call(other, kernel(x)) if other_first else step.call(kernel(x), other)
        return total

    return plain
