"""Elementwise operations that overwrite an operand which nothing else will read: the same kernel.

The result keeps the layout that it would have elsewhere, because what adds it up afterwards follows the
order of the memory: the layout of the first operand, without gaps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.mil.ir import TensorType
from coreml_gate.runtime.fusion.wires import Wires
from coreml_gate.runtime.ops.activation import next_below
from coreml_gate.runtime.plan import ExecutionPlan, Step

_ON_FIRST: Mapping[str, Callable[..., Tensor]] = {
    "add": Tensor.add_,
    "clip": Tensor.clamp_,
    "mul": Tensor.mul_,
    "real_div": Tensor.div_,
    "relu": torch.relu_,
    "relu6": lambda x: x.clamp_(0, 6),
    "sigmoid": torch.sigmoid_,
    "silu": lambda x: functional.silu(x, inplace=True),
    "sub": Tensor.sub_,
    "tanh": torch.tanh_,
    "thresholded_relu": lambda x, alpha: torch.threshold_(x, next_below(alpha, x.dtype), 0.0),
}
"""By operation type: each is exact, or one kernel that rounds half precision by itself (``native``)."""
_ON_SECOND: Mapping[str, Callable[..., Tensor]] = {
    "add": lambda x, y: y.add_(x),
    "mul": lambda x, y: y.mul_(x),
}
_FLOATS = frozenset({"fp16", "fp32"})


def in_place(plan: ExecutionPlan, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, as many as may overwriting an operand."""
    wires = Wires(plan, steps)
    return [_overwriting(place, step, wires) for place, step in enumerate(steps)]


def _overwriting(place: int, step: Step, wires: Wires) -> Step:
    for calls, operand, keeps in ((_ON_FIRST, 0, _dense), (_ON_SECOND, 1, _alike)):
        call = calls.get(step.operation.type)
        if call is None or len(step.reads) <= operand:
            continue
        if wires.may_overwrite(step.reads[operand], place) and same_type(step, operand, wires):
            return replace(step, call=_where(keeps, call, step.call))
    return step


def _where(
    keeps: Callable[..., bool], call: Callable[..., Tensor], plain: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """The call in place where it keeps the layout of the result."""
    return lambda *given: (call if keeps(*given) else plain)(*given)


def _dense(x: Tensor, *_: object) -> bool:
    """Has it no gaps, as a view of a larger result has?"""
    return x.nbytes == x.untyped_storage().nbytes()


def _alike(x: Tensor, y: Tensor) -> bool:
    """Does the second operand lie as the first?"""
    return x.stride() == y.stride() and _dense(y)


def same_type(step: Step, operand: int, wires: Wires) -> bool:
    """Are the operand and the result floats of one type and shape?"""
    kind = step.operation.outputs[0].type
    floats = isinstance(kind, TensorType) and kind.dtype in _FLOATS
    return floats and wires.type(step.reads[operand]) == kind
