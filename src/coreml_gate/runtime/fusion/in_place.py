"""Lets elementwise operations overwrite an operand that nothing else reads, by the same kernel.

The result keeps its usual layout, that of the first operand without gaps, because later sums follow the order
of the memory.
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
"""By operation type; each is exact, or one kernel that rounds half precision itself (``native``)."""
_ON_SECOND: Mapping[str, Callable[..., Tensor]] = {
    "add": lambda x, y: y.add_(x),
    "mul": lambda x, y: y.mul_(x),
}
_FLOATS = frozenset({"fp16", "fp32"})


def in_place(plan: ExecutionPlan, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, with as many as possible overwriting an operand."""
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
    """The call in place if that keeps the layout of the result; otherwise the plain call."""
    return lambda *given: (call if keeps(*given) else plain)(*given)


def _dense(x: Tensor, *_: object) -> bool:
    """Whether it has no gaps, unlike a view of a larger result."""
    return x.nbytes == x.untyped_storage().nbytes()


def _alike(x: Tensor, y: Tensor) -> bool:
    """Whether the second operand has the layout of the first."""
    return x.stride() == y.stride() and _dense(y)


def same_type(step: Step, operand: int, wires: Wires) -> bool:
    """Whether the operand and the result are floats of the same type and shape."""
    kind = step.operation.outputs[0].type
    floats = isinstance(kind, TensorType) and kind.dtype in _FLOATS
    return floats and wires.type(step.reads[operand]) == kind
