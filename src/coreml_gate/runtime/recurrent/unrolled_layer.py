"""An unrolled recurrent layer, computed turn by turn with few calls.

In float32 as the runtime's own layers do, within ``TOLERANCE`` of the program; in half precision by the
operations of the program, with the same bits.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import torch
from torch import Tensor

from coreml_gate.runtime.arguments import known_argument
from coreml_gate.runtime.fusion import FUSED
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.runtime.recurrent.half_turns import gru_in_half, half_product, lstm_in_half, rnn_in_half
from coreml_gate.runtime.recurrent.layer_call import LayerCall, MakeCall, Plain
from coreml_gate.runtime.recurrent.unrolled_block import States, UnrolledLayer
from coreml_gate.runtime.recurrent.unrolled_turns import Cell
from coreml_gate.runtime.registry import STEPWISE, BlockFunction, operation
from coreml_gate.runtime.turns import IN_PLACE, gru_turns, lstm_turns, rnn_turns
from coreml_gate.untyped import MilValue

TOLERANCE: Final = {torch.float32: 1e-5, torch.float16: 0.0}
"""How far a state, which is of the size of 1, may be from the program's."""
_IN_PLACE: Final = {"relu": torch.relu_, "tanh": torch.tanh_}


@operation(STEPWISE, table=FUSED)
def unrolled_layer(_turns: BlockFunction) -> tuple[MilValue, ...]:
    """The operations of the program, one after the other."""
    return _turns()


class StateWeights(NamedTuple):
    """What the state adds, in float32: (hidden, gates * hidden) and (gates * hidden)."""

    weight: Tensor
    bias: Tensor | None
    rounds: bool
    """In half precision, the product is stored before the bias is added."""


def unrolled_call(layer: UnrolledLayer, mode: Mode) -> MakeCall:
    """What calls the layer in the place of its operations."""
    of_state = layer.of_state
    weight = known_argument(of_state.weight, Tensor, mode, wide=True)
    bias = None if of_state.bias is None else known_argument(of_state.bias, Tensor, mode, wide=True)
    weights = StateWeights(weight.T if of_state.turned else weight, bias, of_state.rounds)
    return partial(UnrolledCall, layer, weights, storage(layer.dtype, mode))


class UnrolledCall(LayerCall):
    """Takes what the operations of the layer read, and gives what others read of them."""

    def __init__(
        self,
        layer: UnrolledLayer,
        weights: StateWeights,
        dtype: torch.dtype,
        plain: Plain,
        places: Mapping[str, int],
    ) -> None:
        super().__init__(plain, TOLERANCE[dtype])
        self._layer = layer
        self._weights = weights
        self._dtype = dtype
        self._products = places[layer.products]
        self._starts = [None if start is None else places[start] for start in layer.starts]

    def operands(self, arguments: Sequence[MilValue]) -> Mapping[int, Tensor]:
        """What the inputs add, and the initial states."""
        places = (self._products, *(place for place in self._starts if place is not None))
        return {place: arguments[place] for place in places}

    def fits(self, arguments: Sequence[MilValue]) -> bool:
        """Are the operands of the declared sizes and type?"""
        layer, products = self._layer, arguments[self._products]
        operands = self.operands(arguments).values()
        states = (value for value in operands if value is not products)
        return (
            all(value.dtype is self._dtype for value in operands)
            and products.shape[1:] == (layer.batch, self._weights.weight.shape[1])
            and len(products) >= layer.first + layer.turns
            and all(state.numel() == layer.batch * layer.hidden for state in states)
        )

    def compute(self, arguments: Sequence[MilValue]) -> tuple[MilValue, ...]:
        """The states that are read elsewhere."""
        layer = self._layer
        products = arguments[self._products][layer.first : layer.first + layer.turns]
        starts = [self._start(place, arguments) for place in self._starts]
        rows = torch.empty((layer.turns + 1, layer.batch, layer.hidden), dtype=self._dtype)
        rows[0], cell = starts[0], starts[-1].contiguous().clone()
        run = _in_float32 if self._dtype is torch.float32 else _in_half
        run(layer.cell, self._weights, products, rows, cell)
        return tuple(_result(states, rows, cell) for states in layer.results)

    def _start(self, place: int | None, arguments: Sequence[MilValue]) -> Tensor:
        shape = (self._layer.batch, self._layer.hidden)
        if place is None:
            return torch.zeros(shape, dtype=self._dtype)
        start: Tensor = arguments[place].reshape(shape)
        return start


def _in_float32(cell: Cell, weights: StateWeights, products: Tensor, rows: Tensor, held: Tensor) -> None:
    weight, bias = weights.weight.contiguous(), weights.bias
    if cell == "gru":
        gru_turns(weight, torch.zeros(weight.shape[1]) if bias is None else bias, products.clone(), rows)
        return
    added = products.contiguous() if bias is None else products + bias
    if cell == "lstm":
        lstm_turns(weight, added, rows, held)
    else:
        rnn_turns(IN_PLACE[cell], weight, added, rows)


def _in_half(cell: Cell, weights: StateWeights, products: Tensor, rows: Tensor, held: Tensor) -> None:
    of_state, of_h = half_product(weights.weight, weights.bias, rows.shape[1], rounds=weights.rounds)
    if cell == "gru":
        gru_in_half(of_state, of_h, products, rows)
    elif cell == "lstm":
        lstm_in_half(of_state, of_h, products, rows, held)
    else:
        rnn_in_half(_IN_PLACE[cell], of_state, products, rows)


def _result(states: States, rows: Tensor, cell: Tensor) -> Tensor:
    if states.cell:
        return cell[None]
    chosen = rows[states.first : states.stop]
    return chosen.flip(0) if states.backwards else chosen
