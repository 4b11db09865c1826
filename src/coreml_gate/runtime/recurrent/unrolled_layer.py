"""Computes an unrolled recurrent layer turn by turn with few calls.

In float32 it computes like the runtime's own layers, within ``TOLERANCE`` of the program; in half precision
by the program's operations, with the same bits.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coreml_gate.runtime.arguments import known_argument
from coreml_gate.runtime.fusion import FUSED
from coreml_gate.runtime.ops.recurrent import lstm
from coreml_gate.runtime.packed import Constants, PackedLstm, available
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.runtime.recurrent.half_turns import gru_in_half, half_product, lstm_in_half, rnn_in_half
from coreml_gate.runtime.recurrent.layer_call import LayerCall, MakeCall, Plain
from coreml_gate.runtime.recurrent.unrolled_block import States, UnrolledLayer
from coreml_gate.runtime.recurrent.unrolled_inputs import InputProduct
from coreml_gate.runtime.recurrent.unrolled_turns import Cell
from coreml_gate.runtime.registry import STEPWISE, BlockFunction, Body, operation
from coreml_gate.runtime.turns import IN_PLACE, gru_turns, lstm_turns, rnn_turns
from coreml_gate.untyped import MilValue

TOLERANCE: Final = {torch.float32: 1e-5, torch.float16: 0.0}
"""The allowed difference of a state, whose magnitude is about 1, from the program's."""
_IN_PLACE: Final = {"relu": torch.relu_, "tanh": torch.tanh_}


@operation(STEPWISE, table=FUSED)
def unrolled_layer(_turns: BlockFunction) -> tuple[MilValue, ...]:
    """The operations of the program in sequence."""
    return _turns()


class StateWeights(NamedTuple):
    """The weight and bias of the state, in float32: (hidden, gates * hidden) and (gates * hidden)."""

    weight: Tensor
    bias: Tensor | None
    rounds: bool
    """Whether, in half precision, the product is stored before the bias is added."""


def unrolled_call(layer: UnrolledLayer, mode: Mode) -> MakeCall:
    """The function that calls the layer in place of its operations."""
    of_state = layer.of_state
    weight = known_argument(of_state.weight, Tensor, mode, wide=True)
    bias = None if of_state.bias is None else known_argument(of_state.bias, Tensor, mode, wide=True)
    stored = storage(layer.dtype, mode)
    weight = weight.T if of_state.turned else weight  # a view, as the program's own product reads it
    weight = weight.contiguous() if stored is torch.float32 else weight
    weights = StateWeights(weight, bias, of_state.rounds)
    turns = LstmTurns(layer, layer.inputs, weights) if layer.inputs else Turns(layer, weights)
    return partial(UnrolledCall, layer, turns, stored)


class UnrolledCall(LayerCall):
    """Takes the inputs of the layer's operations, and returns the results that other operations read."""

    def __init__(
        self,
        layer: UnrolledLayer,
        turns: "Turns",
        dtype: torch.dtype,
        plain: Plain,
        places: Mapping[str, int],
    ) -> None:
        super().__init__(plain, TOLERANCE[dtype])
        self._layer = layer
        self._turns = turns
        self._dtype = dtype
        self._zeros = torch.zeros((layer.batch, layer.hidden), dtype=dtype)
        self._sequence = places[layer.sequence]
        self._starts = [None if start is None else places[start] for start in layer.starts]

    def operands(self, arguments: Sequence[MilValue]) -> Mapping[int, Tensor]:
        """The sequence and the initial states."""
        places = (self._sequence, *(place for place in self._starts if place is not None))
        return {place: arguments[place] for place in places}

    def fits(self, arguments: Sequence[MilValue]) -> bool:
        """Whether the operands have the declared sizes and type."""
        sequence, operands = arguments[self._sequence], self.operands(arguments)
        states = (value for place, value in operands.items() if place != self._sequence)
        return (
            all(value.dtype is self._dtype for value in operands.values())
            and self._turns.take(sequence)
            and all(state.numel() == self._layer.batch * self._layer.hidden for state in states)
        )

    def compute(self, arguments: Sequence[MilValue]) -> tuple[MilValue, ...]:
        """The states that are read elsewhere."""
        starts = [self._start(place, arguments) for place in self._starts]
        rows, cell = self._turns.run(arguments[self._sequence], starts[0], starts[-1])
        return tuple(_result(states, rows, cell) for states in self._layer.results)

    def _start(self, place: int | None, arguments: Sequence[MilValue]) -> Tensor:
        start: Tensor = self._zeros if place is None else arguments[place].reshape(self._zeros.shape)
        return start


class Turns:
    """Computes the turns one by one, from the input terms of all."""

    def __init__(self, layer: UnrolledLayer, weights: StateWeights) -> None:
        self._layer = layer
        self._weights = weights

    def take(self, sequence: Tensor) -> bool:
        """Whether there are as many rows as turns, of the right width."""
        layer, width = self._layer, self._weights.weight.shape[1]
        return sequence.shape[1:] == (layer.batch, width) and len(sequence) >= layer.first + layer.turns

    def run(self, sequence: Tensor, start: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden states after the first, and the last cell state; ``cell`` is the first one."""
        layer = self._layer
        products = sequence[layer.first : layer.first + layer.turns]
        rows = torch.empty((layer.turns + 1, layer.batch, layer.hidden), dtype=sequence.dtype)
        rows[0], held = start, cell.contiguous().clone()
        run = _in_float32 if sequence.dtype is torch.float32 else _in_half
        run(layer.cell, self._weights, products, rows, held)
        return rows, held


class LstmTurns(Turns):
    """Computes an LSTM by the kernel of a whole layer, including the products of the inputs."""

    def __init__(self, layer: UnrolledLayer, inputs: InputProduct, weights: StateWeights) -> None:
        super().__init__(layer, weights)
        self._backwards = inputs.backwards
        of_input, of_inputs = _wide(inputs.weight), None if inputs.bias is None else _wide(inputs.bias)
        self._features = of_input.shape[1]
        constants = {"weight_ih": of_input, "weight_hh": weights.weight.T.contiguous()}
        biases = [bias for bias in (of_inputs, weights.bias) if bias is not None]
        constants |= {"bias": torch.stack(biases).sum(0)} if biases else {}
        self._kernel = _kernel({**constants, "output_sequence": True})

    def take(self, sequence: Tensor) -> bool:
        """Whether there are as many positions as turns."""
        position = self._layer.batch * self._features
        whole = sequence.numel() % position == 0
        return whole and sequence.numel() // position >= self._layer.first + self._layer.turns

    def run(self, sequence: Tensor, start: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The same as for the turns one by one."""
        layer = self._layer
        steps = sequence.reshape(-1, layer.batch, self._features)
        steps = steps.flip(0) if self._backwards else steps
        states, _, last = self._kernel(steps[layer.first : layer.first + layer.turns], start, cell)
        return torch.cat((start[None], states)), last


def _kernel(constants: Constants) -> Body:
    body: Body = lstm
    return PackedLstm(body, constants, _keep) if available() else partial(body, **constants)


def _keep() -> None:
    """Release nothing, because the program's own operations also read the constants."""


def _wide(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _in_float32(cell: Cell, weights: StateWeights, products: Tensor, rows: Tensor, held: Tensor) -> None:
    weight, bias = weights.weight, weights.bias
    if cell == "gru":
        gru_turns(weight, torch.zeros(weight.shape[1]) if bias is None else bias, products.clone(), rows)
        return
    added = products.contiguous() if bias is None else products + bias
    if cell == "lstm":
        lstm_turns(weight, added, rows, held)
    else:
        rnn_turns(IN_PLACE[cell], weight, added, rows)


def _in_half(cell: Cell, weights: StateWeights, products: Tensor, rows: Tensor, held: Tensor) -> None:
    of_state = half_product(weights.weight, weights.bias, rows.shape[1], rounds=weights.rounds)
    if cell == "gru":
        gru_in_half(of_state, products, rows)
    elif cell == "lstm":
        lstm_in_half(of_state, products, rows, held)
    else:
        rnn_in_half(_IN_PLACE[cell], of_state, products, rows)


def _result(states: States, rows: Tensor, cell: Tensor) -> Tensor:
    if states.cell:
        return cell[None]
    chosen = rows[states.first : states.stop]
    return chosen.flip(0) if states.backwards else chosen
