"""Computes a recognised GRU loop with nine calls a turn instead of thirty.

The three gates are stacked into one product, the products of the inputs are computed for all positions at
once, and all turns share result buffers. Half precision rounds where the program does. Products add in
another order than the program's, as they would on another processor.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Final

import torch
from torch import Tensor

from coreml_gate.mil.ir import Constant, Operation
from coreml_gate.runtime.arguments import Known
from coreml_gate.runtime.ops.linear import linear
from coreml_gate.runtime.packed import PackedLinear, available
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.runtime.recurrent.gru_loop import LONGEST, GruLoop, gru_loop
from coreml_gate.runtime.recurrent.half_turns import gru_loop_in_half
from coreml_gate.runtime.recurrent.layer_call import LayerCall, MakeCall, Plain
from coreml_gate.runtime.registry import Body
from coreml_gate.runtime.turns import gru_turns
from coreml_gate.untyped import MilValue

TOLERANCE: Final = {torch.float32: 1e-5, torch.float16: 4e-3}
"""The allowed difference of a state, whose magnitude is about 1, from the program's."""
_SEQUENCE_RANK = 3
_STATES = 1
"""The states' index among a loop's arguments."""
Stacked = Callable[[Sequence[Constant]], Tensor]


class GruLayer:
    """The cell's stacked constants, in float32; ``dtype`` is the stored type of states and results."""

    def __init__(self, x: tuple[Tensor, Tensor], h: tuple[Tensor, Tensor], dtype: torch.dtype) -> None:
        self._of_x = input_layer(*x)
        self._h_weight, self._h_bias = h
        self._dtype = dtype
        self.tolerance = TOLERANCE[dtype]

    @cached_property
    def _turned(self) -> Tensor:
        """The state's weight as all turns read it; for halves, followed by the bias."""
        columns = self._h_weight if self._dtype is torch.float32 else self._with_bias()
        return columns.T.contiguous()

    def _with_bias(self) -> Tensor:
        return torch.cat((self._h_weight, self._h_bias[:, None]), 1)

    def run(self, sequence: Tensor, states: Tensor, steps: int) -> Tensor:
        """The states after ``steps`` turns.

        :param sequence: (length, batch, features), of at least ``steps`` positions.
        :param states: (length, batch, hidden), of at least ``steps + 1`` rows: the initial state, then zeros.
        """
        rows = states.to(self._dtype, copy=True).contiguous()
        products, rows_of_turns = self._products(sequence[:steps]), rows[: steps + 1]
        if self._dtype is torch.float32:
            gru_turns(self._turned, self._h_bias, products, rows_of_turns)
        else:
            gru_loop_in_half(self._turned, products, rows_of_turns)
        return rows.to(states.dtype)

    def _products(self, sequence: Tensor) -> Tensor:
        """The input's terms of both sigmoid gates and of the new state, per position."""
        products: Tensor = self._of_x(sequence.float())
        return products.to(self._dtype)


def input_layer(weight: Tensor, bias: Tensor) -> Body:
    """The input terms of all turns, in one product."""
    if available():
        return PackedLinear(linear, {"weight": weight, "bias": bias}, _keep)
    return lambda sequence: linear(sequence, weight, bias)


def _keep() -> None:
    """Release nothing, because the plan also reads the constants for the loop itself."""


def gru_call(
    operation: Operation,
    known: Mapping[str, Known],
    mode: Mode,
    stacked: Stacked,
) -> MakeCall | None:
    """The layer that a loop computes, made before its blocks are compiled, which share its stacked weights.

    :param stacked: Joins constants in float32 in one tensor.
    """
    loop = gru_loop(operation, known)
    if loop is None or (mode == "neural-engine" and loop.dtype == "fp16"):
        return None
    of_x = (stacked([gate.x_weight for gate in loop.gates]), stacked([gate.x_bias for gate in loop.gates]))
    of_h = (stacked([gate.h_weight for gate in loop.gates]), stacked([gate.h_bias for gate in loop.gates]))
    return partial(GruCall, loop, GruLayer(of_x, of_h, storage(loop.dtype, mode)))


class GruCall(LayerCall):
    """Takes a loop's arguments: counter, states, then the captured values of its blocks."""

    def __init__(self, loop: GruLoop, layer: GruLayer, plain: Plain, places: Mapping[str, int]) -> None:
        super().__init__(plain, layer.tolerance)
        self._layer = layer
        self._sequence = places[loop.sequence]
        self._limit = loop.limit if isinstance(loop.limit, int) else None
        self._limited_by = places.get(str(loop.limit), 0)

    def operands(self, arguments: Sequence[MilValue]) -> Mapping[int, Tensor]:
        """States and sequence."""
        return {place: arguments[place] for place in (_STATES, self._sequence)}

    def turns(self, arguments: Sequence[MilValue]) -> int:
        """The limit with which the counter is compared."""
        return int(arguments[self._limited_by]) if self._limit is None else self._limit

    def takes(self, arguments: Sequence[MilValue]) -> bool:
        """Whether the rows are zero, as the program adds each state to its row and the layer writes it."""
        return not bool(arguments[_STATES][1:].any())

    def drawn(self, arguments: Sequence[MilValue]) -> list[MilValue]:
        """Random arguments, with zeros in the rows after the initial state."""
        drawn = super().drawn(arguments)
        drawn[_STATES][1:] = 0
        return drawn

    def compute(self, arguments: Sequence[MilValue]) -> tuple[MilValue, ...]:
        """The counter and the states after the loop."""
        turns = self.turns(arguments)
        return arguments[0] + turns, self._layer.run(arguments[self._sequence], arguments[_STATES], turns)

    def fits(self, arguments: Sequence[MilValue]) -> bool:
        """Whether all turns stay within the sequence and the rows."""
        states, sequence, turns = arguments[_STATES], arguments[self._sequence], self.turns(arguments)
        if not sequence.ndim == states.ndim == _SEQUENCE_RANK or sequence.shape[1] != states.shape[1]:
            return False
        return 0 < turns <= min(len(sequence), len(states) - 1, LONGEST)
