"""Finds where the FP16 run diverges from the float32 run if no operation is damaged by itself.

Half precision may break a model without a single bad operation: values without digits left, an epsilon that
the converter had to raise, a difference of two nearly equal results. Each shows at the operation whose error
grows most over that of its operands, on the path from the inputs to the wrong output.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from coreml_gate.diagnose.hazards import Suspicion
from coreml_gate.diagnose.operation_errors import OperationErrors
from coreml_gate.diagnose.ranges import Range
from coreml_gate.floats import HALF_INTEGERS, HALF_ROUNDING, LEAST_HALF, LEAST_NORMAL_HALF
from coreml_gate.mil.graph import captured
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation

_CHANGED: Final = 0.1
"""An epsilon that half precision changes by a greater share counts as changed."""
_MANY: Final = 0.01
_GUARDS: Final = frozenset({"add", "maximum", "clip", "sqrt", "rsqrt", "inverse", "real_div", "mul", "log"})
"""Operations between an epsilon and the division that it guards."""
_STEPS: Final = 3
_CANCELS: Final = frozenset({"add", "sub"})


@dataclass(frozen=True)
class PathStep:
    """One operation on the path to the wrong output: its error, and the greatest error of its operands."""

    operation: Operation
    error: float
    given: float

    @property
    def growth(self) -> float:
        """The error of the result as a multiple of that of its operands."""
        return self.error / max(self.given, HALF_ROUNDING)


def lost_precision(errors: OperationErrors, ranges: Mapping[str, Range]) -> tuple[Suspicion, ...]:
    """The operation at which the error grows most, with its reason; ``None`` if no output is wrong."""
    index = Index(errors.function)
    steps = tuple(_steps(errors, index))
    if not steps:
        return ()
    worst = max(reversed(steps), key=lambda step: step.growth)
    return (_reason(worst, steps, errors, index, ranges),)


def _steps(errors: OperationErrors, index: Index) -> Iterator[PathStep]:
    """The path from the worst output back to the inputs, always along the worst operand."""
    ends = (index.producers.get(name) for name in errors.function.block.outputs)
    current = _worst((end for end in ends if end is not None), errors)
    while current is not None and errors.error_of(current) > 0:
        read = (index.producers.get(name) for name in (*current.reads(), *sorted(captured(current))))
        before = _worst((made for made in read if made is not None), errors)
        yield PathStep(current, errors.error_of(current), 0.0 if before is None else errors.error_of(before))
        current = before


def _worst(operations: Iterator[Operation], errors: OperationErrors) -> Operation | None:
    return max((item for item in operations if item.type != "const"), key=errors.error_of, default=None)


def _reason(
    worst: PathStep,
    steps: tuple[PathStep, ...],
    errors: OperationErrors,
    index: Index,
    ranges: Mapping[str, Range],
) -> Suspicion:
    guard = next(_changed_epsilons(worst.operation, index, _STEPS), None)
    if guard is not None:
        operand = ranges.get(index.name(guard, "x") or "")
        return Suspicion("epsilon", guard.name, 0.0 if operand is None else operand.smallest, LEAST_HALF)
    behind = steps[steps.index(worst) :]
    for step in reversed(behind):
        damage = errors.damage[step.operation.name]
        if damage.vanishes > _MANY:
            return Suspicion("vanishing", step.operation.name, 0.0, LEAST_HALF)
        if damage.subnormal > _MANY:
            return Suspicion("vanishing", step.operation.name, 0.0, LEAST_NORMAL_HALF)
    maker = _maker_of_whole_numbers(worst, index, ranges)
    if maker is not None:
        return Suspicion("whole-numbers", maker, ranges[maker].magnitude, HALF_INTEGERS)
    return _by_growth(worst)


def _by_growth(worst: PathStep) -> Suspicion:
    """The reason from the growth of the error, if no value explains it."""
    if worst.operation.type in _CANCELS:
        return Suspicion("cancellation", worst.operation.name, worst.error, max(worst.given, HALF_ROUNDING))
    if worst.given <= HALF_ROUNDING:
        return Suspicion("rounding", worst.operation.name, worst.error, HALF_ROUNDING)
    return Suspicion("inherited", worst.operation.name, worst.error, worst.given)


def _maker_of_whole_numbers(worst: PathStep, index: Index, ranges: Mapping[str, Range]) -> str | None:
    """The operand of a cast to integers, if FP16 cannot hold it: then its maker lost the precision."""
    if worst.operation.type != "cast" or not index.text(worst.operation, "dtype").startswith(("int", "uint")):
        return None
    name = index.name(worst.operation, "x") or ""
    return name if name in ranges and ranges[name].magnitude > HALF_INTEGERS else None


def _changed_epsilons(operation: Operation, index: Index, steps: int) -> Iterator[Operation]:
    """This operation, or one that guards its operands, if it has a small constant that FP16 cannot hold."""
    constants = (index.scalar(operation, parameter) for parameter in ("epsilon", "x", "y", "alpha"))
    if any(value is not None and _is_changed(value) for value in constants):
        yield operation
    makers = (index.maker(operation, parameter) for parameter in ("y", "x"))
    for made in makers if steps else ():
        if made is not None and made.type in _GUARDS:
            yield from _changed_epsilons(made, index, steps - 1)


def _is_changed(value: float) -> bool:
    """Whether a constant is near zero and changes in half precision."""
    half = max(float(np.float16(abs(value))), LEAST_HALF)
    return 0 < abs(value) < LEAST_NORMAL_HALF and abs(half / abs(value) - 1) > _CHANGED
