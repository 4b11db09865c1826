"""Replaces groups of operations by one with the same bits.

The rewritten block is for runs without an observer, because an observer sees the program's operations.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from coreml_gate.mil.ir import Block, Operation, TensorType
from coreml_gate.runtime.pattern import OtherFormError, Wiring, argument, demand
from coreml_gate.runtime.registry import ROUND, Implementation, operation

FUSED: dict[str, dict[int, Implementation]] = {}
"""By type, none of which exists in MIL."""

_PARTS = frozenset({"cast", "equal", "fill_like", "logical_not", "reduce_max", "softmax", "tile"})


def fused_block(block: Block) -> Block:
    """The block with its known groups fused; the same object if there are none."""
    wiring = Wiring(block, {})
    groups = {made.name: fused for made in block.operations if (fused := _safe_softmax(made, wiring))}
    if not groups:
        return block
    operations = tuple(groups.get(made.name, made) for made in block.operations)
    return replace(block, operations=_read(operations, block.outputs))


def _safe_softmax(select: Operation, wiring: Wiring) -> Operation | None:
    """Recognise the softmax of torch's decomposed attention: zeros instead of NaN for fully masked rows.

    ``select(all of x is -inf along the axis, 0, softmax(x))``, with *all* written by integers.
    """
    if select.type != "select":
        return None
    try:
        softmax = wiring.made(argument(select, "b"), "softmax")
        zeros = wiring.made(wiring.behind_casts(argument(select, "a")), "fill_like")
        demand(argument(zeros, "ref_tensor") in {softmax.name, argument(softmax, "x")})
        (fill,) = wiring.values(argument(zeros, "value"))
        demand(fill == 0 < math.copysign(1, fill))
        demand(softmax.outputs[0].type == select.outputs[0].type and _sized(softmax))
        _demand_all_masked(argument(select, "cond"), softmax, wiring)
    except OtherFormError:
        return None
    return replace(select, type="safe_softmax", inputs=softmax.inputs)


def _demand_all_masked(name: object, softmax: Operation, wiring: Wiring) -> None:
    tile = wiring.made(str(name), "tile")
    none_left = wiring.made(argument(tile, "x"), "logical_not")
    most = wiring.made(wiring.behind_casts(argument(none_left, "x")), "reduce_max")
    axis = wiring.values(argument(softmax, "axis"))
    wiring.demand_values(most, {"axes": axis, "keep_dims": [True]})
    left = wiring.made(wiring.behind_casts(argument(most, "x")), "logical_not")
    masked = wiring.made(argument(left, "x"), "equal")
    demand(argument(masked, "x") == argument(softmax, "x"))
    wiring.demand_values(masked, {"y": [-torch.inf]})


def _sized(made: Operation) -> bool:
    """Whether the shape is declared; otherwise the mask could make the result larger."""
    kind = made.outputs[0].type
    return isinstance(kind, TensorType) and kind.elements is not None


def _read(operations: Iterable[Operation], outputs: Iterable[str]) -> tuple[Operation, ...]:
    """The operations without the parts of groups that no operation reads any more."""
    seen, kept = set(outputs), []
    for made in reversed(tuple(operations)):
        if made.type in _PARTS and not seen.intersection(value.name for value in made.outputs):
            continue
        seen.update(made.reads())
        seen.update(name for block in made.blocks for inner in block.walk() for name in inner.reads())
        seen.update(name for block in made.blocks for name in block.outputs)
        kept.append(made)
    return tuple(reversed(kept))


@operation(ROUND, native=True, table=FUSED)
def safe_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Softmax, but zero where all of ``x`` is -inf along the axis: there every element of softmax is NaN."""
    result = torch.softmax(x, axis)
    if not bool(result.select(axis, 0).isnan().any()):
        return result
    return result.masked_fill((x == -torch.inf).all(axis, keepdim=True), 0)
