"""Looks up costly functions of one half-precision operand in a table of all 65,536 values.

The table contains the results of the program's own call for all halves, so the bits are the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coreml_gate.runtime.fusion.wires import Wires
from coreml_gate.runtime.plan import ExecutionPlan, Step
from coreml_gate.untyped import MilValue

COSTLY: Final = frozenset({"erf", "gelu", "softplus", "tanh"})
"""Operations that take 2 to 5 nanoseconds an element; a lookup takes 1.5."""
LEAST_ELEMENTS: Final = 2**16
"""Below this size, making the table would cost more than a run saves."""
_AT_ONCE: Final = 2**16
"""Elements at a time, so that their eight-byte indices stay in the processor's cache."""
_WHOLE_VECTORS: Final = 64
"""torch computes elements after the last whole vector, and scattered ones, with other bits."""


def looked_up(plan: ExecutionPlan, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, with tables for the costly ones; steps with the same constants share a table."""
    wires, tables = Wires(plan, steps), dict[tuple[MilValue, ...], _Table]()
    return [_looked_up(step, wires, tables) for step in steps]


def _looked_up(step: Step, wires: Wires, tables: dict[tuple[MilValue, ...], "_Table"]) -> Step:
    constants = wires.constants(step.reads[1:])
    if step.operation.type not in COSTLY or any(value is None for value in constants):
        return step
    key = (step.operation.type, *constants)
    table = tables.setdefault(key, _Table(step.call, constants))
    call = step.call
    return replace(
        step,
        call=lambda x, *rest: table.of(x) if _may_be_looked_up(x) else call(x, *rest),
        widened=(),
    )


def _may_be_looked_up(x: Tensor) -> bool:
    """Whether a lookup is faster: on one thread only, because torch uses several and numpy does not."""
    count = x.numel()
    return (
        x.dtype is torch.float16
        and count >= LEAST_ELEMENTS
        and count % _WHOLE_VECTORS == 0
        and torch.get_num_threads() == 1
        and x.is_contiguous()
    )


class _Table:
    """The values of one function for all halves, in the order of their bits."""

    def __init__(self, call: Callable[..., Tensor], constants: tuple[MilValue, ...]) -> None:
        self._call = call
        self._constants = constants

    @cached_property
    def _values(self) -> NDArray[np.float16]:
        halves = torch.from_numpy(np.arange(2**16, dtype=np.uint16).view(np.float16))
        values: NDArray[np.float16] = self._call(halves, *self._constants).numpy()
        return values

    def of(self, x: Tensor) -> Tensor:
        """The function's values."""
        result = torch.empty_like(x)
        places, values = x.view(-1).numpy(), result.view(-1).numpy()
        for start in range(0, len(places), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            np.take(self._values, places[part].view(np.uint16), out=values[part], mode="clip")
        return result
