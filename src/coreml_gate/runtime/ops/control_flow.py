"""Branches, loops and lists. Blocks are the last parameters; a list is a Python list, never modified."""

import torch
from torch import Tensor

from coreml_gate.errors import PackageError
from coreml_gate.runtime.ops.integers import to_int32
from coreml_gate.runtime.registry import EXACT, STEPWISE, BlockFunction, Tensors, operation
from coreml_gate.untyped import MilValue

MOST_ROUNDS = 10**7
"""Iterations after which a loop counts as endless: minutes with the smallest body."""


@operation(STEPWISE)
def cond(pred: bool, _true_fn: BlockFunction, _false_fn: BlockFunction) -> tuple[MilValue, ...]:
    return _true_fn() if pred else _false_fn()


@operation(STEPWISE)
def while_loop(loop_vars: Tensors, _cond: BlockFunction, _body: BlockFunction) -> tuple[MilValue, ...]:
    values: tuple[MilValue, ...] = loop_vars
    for _ in range(MOST_ROUNDS):
        if not bool(_cond(*values)[0]):
            return values
        values = _body(*values)
    raise PackageError(f"the loop has not ended after {MOST_ROUNDS} rounds.")


@operation(EXACT)
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Integers pass through float32 (rustnn/rustnn#235)."""
    picked = torch.where(cond.bool(), a, b)
    return to_int32(picked.float()) if picked.dtype is torch.int32 else picked


@operation(EXACT)
def make_list(
    elem_shape: Tensors,
    init_length: int = 1,
    dynamic_length: bool = True,  # noqa: ARG001  # every list can grow
    dtype: str = "fp32",  # noqa: ARG001  # an element has the type of the written value
) -> list[Tensor]:
    """Elements are zero until they are written."""
    return [torch.zeros(tuple(int(size) for size in elem_shape))] * init_length


@operation(EXACT)
def list_length(ls: list[Tensor]) -> Tensor:
    return torch.tensor(len(ls), dtype=torch.int32)


@operation(EXACT)
def list_read(ls: list[Tensor], index: int) -> Tensor:
    return ls[index]


@operation(EXACT)
def list_write(ls: list[Tensor], index: int, value: Tensor) -> list[Tensor]:
    grown = [*ls, *[torch.zeros_like(value)] * (index + 1 - len(ls))]
    grown[index] = value
    return grown


@operation(EXACT)
def list_gather(ls: list[Tensor], indices: Tensor) -> Tensor:
    return torch.stack([ls[index] for index in indices.tolist()])


@operation(EXACT)
def list_scatter(ls: list[Tensor], indices: Tensor, value: Tensor) -> list[Tensor]:
    for index, element in zip(indices.tolist(), value, strict=True):
        ls = list_write(ls, index, element)
    return ls
