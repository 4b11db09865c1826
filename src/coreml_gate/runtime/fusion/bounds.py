"""Bounds the magnitude of values: if no sum of a layer can overflow, finite operands give no NaN.

Every partial sum of a convolution is at most its weights' greatest sum of magnitudes per output, times the
greatest magnitude of its operand, plus the bias. So one guard, which measures one tensor in the run, serves
the following layers until their bounds approach the largest float32.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from torch import Tensor

from coreml_gate.floats import GREATEST_HALF
from coreml_gate.mil.ir import TensorType, Value
from coreml_gate.runtime.fusion.wires import GUARD, RESIDUAL_SUM
from coreml_gate.runtime.packed import ExtensibleKernel
from coreml_gate.runtime.plan import ExecutionPlan, Step
from coreml_gate.untyped import MilValue

GUARDED: Final = GREATEST_HALF
"""The greatest magnitude that a guard accepts; larger values overflow in half precision anyway."""
MOST: Final = 2.0**120
"""Up to this bound nothing overflows in float32, whatever the rounding errors."""
_MOST_OF_A_MEAN: Final = 2.0**80
"""Up to this bound the sum of a tensor's elements does not overflow either."""

_OF_OPERANDS: Mapping[str, Callable[..., float]] = {
    "add": lambda x, y: x + y,
    "avg_pool": lambda x: x if x < _MOST_OF_A_MEAN else MOST,
    "concat": lambda *all_: max(all_),
    "mul": lambda x, y: x * y,
    "reduce_mean": lambda x: x if x < _MOST_OF_A_MEAN else MOST,
    "relu": lambda x: x,
    "relu6": lambda _: 6.0,
    "reshape": lambda x: x,
    "sigmoid": lambda _: 1.0,
    "sigmoid_hard": lambda *_: 1.0,
    "silu": lambda x: x,
    "sub": lambda x, y: x + y,
    "tanh": lambda _: 1.0,
    "thresholded_relu": lambda x: x,
    "transpose": lambda x: x,
}
"""The bound of a result from the bounds of its operands; other operations have none."""


class Bound(NamedTuple):
    """A magnitude that no element exceeds if these guards hold, given as registers of booleans."""

    most: float
    guards: tuple[int, ...]


class Guards(NamedTuple):
    """Steps to run before a layer, and the registers of all guards that must hold."""

    steps: Sequence[Step]
    flags: tuple[int, ...]


class Bounds:
    """Finds the bounds of a plan's registers, step by step, and makes guards when needed."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self._registers = plan.registers
        self._known: dict[int, Bound] = {}

    def guarded(self, step: Step, kernel: ExtensibleKernel) -> Guards | None:
        """The guards before a layer that show its result to be finite; ``None`` if none can."""
        made: list[Step] = []
        if self._of_layer(step, kernel) is None:
            operands = _operands(step)
            if kernel.most(GUARDED) + GUARDED * (len(operands) - 1) < MOST:
                made = [self._guard(slot, step) for slot in operands]
        bound = self._of_layer(step, kernel)
        return bound and Guards(made, bound.guards)

    def pass_by(self, step: Step) -> None:
        """Record the bound of a step's result."""
        kernel = step.kernel
        if isinstance(kernel, ExtensibleKernel):
            bound = self._of_layer(step, kernel)
        else:
            bound = self._of_operation(step)
        if bound is not None and len(step.writes) == 1:
            self._known[step.writes[0]] = bound

    def of(self, slot: int) -> Bound | None:
        """The bound of a register; ``None`` if none is known."""
        content = self._registers[slot]
        if isinstance(content, Tensor) and content.is_floating_point() and content.numel():
            return _finite(Bound(float(content.abs().amax()), ()))
        return self._known.get(slot)

    def _of_layer(self, step: Step, kernel: ExtensibleKernel) -> Bound | None:
        found = [bound for slot in _operands(step) if (bound := self.of(slot)) is not None]
        if len(found) < len(_operands(step)):
            return None
        most = kernel.most(found[-1].most) + sum(bound.most for bound in found[:-1])
        return _finite(Bound(most, _guards(found)))

    def _of_operation(self, step: Step) -> Bound | None:
        rule = _OF_OPERANDS.get(step.operation.type)
        if rule is None:  # a weight of a layer without a rule is not read
            return None
        slots = [slot for slot in step.reads if not _steers(self._registers[slot])]
        found = [bound for slot in slots if (bound := self.of(slot)) is not None]
        if len(found) < len(slots):
            return None
        return _finite(Bound(rule(*(bound.most for bound in found)), _guards(found)))

    def _guard(self, slot: int, step: Step) -> Step:
        flag = len(self._registers)
        self._registers.append(None)
        self._known[slot] = Bound(GUARDED, (flag,))
        kind = Value(f"{step.operation.name}_guard", TensorType("bool", ()))
        operation = replace(step.operation, type=GUARD, outputs=(kind,))
        return Step(operation, holds, (slot,), ("x",), (flag,), (), nested=False)


def holds(x: Tensor) -> bool:
    """Whether every element is a number within a guard's limit."""
    return x.numel() > 0 and float(x.amax()) <= GUARDED and float(x.amin()) >= -GUARDED


def _operands(step: Step) -> tuple[int, ...]:
    """The operands of a layer's sum; the last is the one multiplied by the weights."""
    return step.reads[:2] if step.operation.type == RESIDUAL_SUM else step.reads[:1]


def _steers(content: MilValue) -> bool:
    """Whether it is a setting: a constant that is not a tensor."""
    return content is not None and not isinstance(content, Tensor)


def _guards(bounds: list[Bound]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(guard for bound in bounds for guard in bound.guards))


def _finite(bound: Bound) -> Bound | None:
    return bound if bound.most < MOST else None
