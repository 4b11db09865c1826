"""Recurrent layers over sequences of the shape (length, batch, features).

In reverse, the states are in the order of computation, starting with the last step of the input; only a
bidirectional layer restores the input's order. coremltools' own tests expect this
(``mil/ops/tests/iOS14/test_recurrent.py``).

In which type Core ML's CPU keeps the state of a half-precision layer is not published; mode ``fp16`` rounds
once per sequence. The Neural Engine has only halves, so its estimate rounds the state at each step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from coreml_gate.errors import PackageError
from coreml_gate.runtime.ops.neural_engine import engine_half
from coreml_gate.runtime.registry import ROUND, Gates, Tensors, operation
from coreml_gate.runtime.turns import IN_PLACE, rnn_turns
from coreml_gate.untyped import MilValue

_SEQUENCE_RANK = 3
_WEIGHTS = 2  # of the input and of the state, without biases
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "hard_sigmoid": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "linear": lambda x: x,
    "relu": torch.relu,
    "scaled_tanh": torch.tanh,  # both of its factors are 1 here
    "sigmoid": torch.sigmoid,
    "sigmoid_hard": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "tanh": torch.tanh,
}

Keep = Callable[[Tensor], Tensor]
"""Converts a state between one step and the next."""


def _wide(state: Tensor) -> Tensor:
    return state


def _halved(state: Tensor) -> Tensor:
    return engine_half(state).float()


@operation(ROUND, neural_engine=lambda *arguments: _rnn(_halved, *arguments))
def rnn(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    activation: str = "tanh",
) -> Tensors:
    act = IN_PLACE.get(activation)
    if act is None or x.ndim != _SEQUENCE_RANK:
        return _rnn(_wide, x, initial_h, weight_ih, weight_hh, bias, direction, output_sequence, activation)
    steps = x.flip(0) if direction == "reverse" else x
    of_x = torch.nn.functional.linear(steps, weight_ih, bias)
    states = torch.cat((initial_h[None], torch.empty_like(of_x)))
    rnn_turns(act, weight_hh.T.contiguous(), of_x, states)
    return (states[1:] if output_sequence else states[-1:]), states[-1]


def _rnn(keep: Keep, x: Tensor, h: Tensor, *rest: MilValue) -> Tensors:
    weight_ih, weight_hh, bias, direction, output_sequence, activation = rest
    act, states = _ACTIVATIONS[activation], []
    projected = torch.nn.functional.linear(x, weight_ih, bias)
    for step in _order(projected, direction):
        h = keep(act(step + h @ weight_hh.T))
        states.append(h)
    return _sequence(states, output_sequence), h


@operation(ROUND, neural_engine=lambda *arguments: _gru(_halved, *arguments))
def gru(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
    reset_after: bool | None = None,
    input_bias: Tensor | None = None,
) -> Tensors:
    """Gates in the order reset, output, update; ``reset_after`` applies the reset gate to the product with
    ``h``.
    """
    names = recurrent_activation, activation
    return _gru(
        _wide,
        x,
        initial_h,
        weight_ih,
        weight_hh,
        bias,
        direction,
        output_sequence,
        *names,
        reset_after,
        input_bias,
    )


def _gru(keep: Keep, x: Tensor, initial_h: Tensor, *rest: MilValue) -> Tensors:
    weight_ih, weight_hh, bias, direction, output_sequence, recurrent_activation, *others = rest
    activation, reset_after, input_bias = others
    gate, act = _ACTIVATIONS[recurrent_activation], _ACTIVATIONS[activation]
    hidden = initial_h.shape[-1]
    inner = torch.zeros(3 * hidden) if bias is None else bias
    projected = torch.nn.functional.linear(x, weight_ih, input_bias)
    w_r, w_o, w_z = weight_hh.chunk(3)
    b_r, b_o, b_z = inner.chunk(3)
    h, states = initial_h, []
    for step in _order(projected, direction):
        x_r, x_o, x_z = step.chunk(3, -1)
        r, z = gate(x_r + h @ w_r.T + b_r), gate(x_z + h @ w_z.T + b_z)
        o = act(x_o + r * (h @ w_o.T + b_o)) if reset_after else act(x_o + (r * h) @ w_o.T + b_o)
        h = keep((1 - z) * o + z * h)
        states.append(h)
    return _sequence(states, output_sequence), h


@operation(ROUND, neural_engine=lambda *arguments: _lstm(_halved, *arguments))
def lstm(
    x: Tensor,
    initial_h: Tensor,
    initial_c: Tensor,
    weight_ih: Gates,
    weight_hh: Gates,
    bias: Gates | None = None,
    peephole: Tensor | None = None,
    weight_ih_back: Gates | None = None,
    weight_hh_back: Gates | None = None,
    bias_back: Gates | None = None,
    peephole_back: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
    clip: float | None = None,
) -> Tensors:
    one = weight_ih, weight_hh, bias, peephole
    back = weight_ih_back, weight_hh_back, bias_back, peephole_back
    names = recurrent_activation, cell_activation, activation
    return _lstm(_wide, x, initial_h, initial_c, *one, *back, direction, output_sequence, *names, clip)


def _lstm(keep: Keep, x: Tensor, initial_h: Tensor, initial_c: Tensor, *rest: MilValue) -> Tensors:
    one, back, (direction, output_sequence, *names, clip) = rest[:4], rest[4:8], rest[8:]
    cell = _Cell(tuple(names), clip, keep)
    if back[0] is None or back[1] is None:
        states, h, c = _one_way(x, initial_h, initial_c, one, direction, cell)
    else:
        states, h, c = _both_ways(x, initial_h, initial_c, one, back, cell)
    return (states if output_sequence else h[None]), h, c


_Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]
_States = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class _Cell:
    """Activations of the gates, of the cell and of the output, the bound of the cell state, and its type."""

    names: tuple[str, ...]
    clip: float | None
    keep: Keep

    def is_torchs(self, weights: _Weights) -> bool:
        """Whether torch's kernel computes this cell; without hidden units it may end the process (SIGFPE)."""
        usual = self.names == ("sigmoid", "tanh", "tanh") and self.clip is None and self.keep is _wide
        return usual and weights[3] is None and weights[1].numel() > 0


def _both_ways(x: Tensor, h: Tensor, c: Tensor, one: _Weights, back: _Weights, cell: _Cell) -> _States:
    """States of both directions in the input's order, side by side."""
    if cell.is_torchs(one) and cell.is_torchs(back) and (one[2] is None) is (back[2] is None):
        start_h, start_c = torch.stack(h.chunk(2, -1)), torch.stack(c.chunk(2, -1))
        weights = (*_flat(one), *_flat(back))
        states, last_h, last_c = _torch_lstm(x, start_h, start_c, weights, both_ways=True)
        return states, torch.cat((*last_h,), -1), torch.cat((*last_c,), -1)
    (h, h_back), (c, c_back) = h.chunk(2, -1), c.chunk(2, -1)
    there = _one_way(x, h, c, one, "forward", cell)
    states, *last = _one_way(x, h_back, c_back, back, "reverse", cell)
    states, h, c = (torch.cat(both, -1) for both in zip(there, (states.flip(0), *last), strict=True))
    return states, h, c


def _one_way(x: Tensor, h: Tensor, c: Tensor, weights: _Weights, direction: str, cell: _Cell) -> _States:
    """States in the order of computation, last hidden and last cell state of one direction."""
    if cell.is_torchs(weights):
        steps = x.flip(0) if direction == "reverse" else x
        states, last_h, last_c = _torch_lstm(steps, h[None], c[None], _flat(weights), both_ways=False)
        return states, last_h[0], last_c[0]
    weight_ih, weight_hh, bias, peephole = weights
    gate, fresh, out = (_ACTIVATIONS[name] for name in cell.names)
    p_i, p_f, p_o = (None,) * 3 if peephole is None else peephole.chunk(3)
    projected = torch.nn.functional.linear(x, weight_ih, bias)
    outputs = []
    for step in _order(projected, direction):
        i, f, z, o = (step + h @ weight_hh.T).chunk(4, -1)
        c = gate(_seen(f, p_f, c)) * c + gate(_seen(i, p_i, c)) * fresh(z)
        c = c if cell.clip is None else c.clamp(-cell.clip, cell.clip)
        h = cell.keep(gate(_seen(o, p_o, c)) * out(c))
        c = cell.keep(c)
        outputs.append(h)
    return torch.stack(outputs), h, c


def _seen(of_gate: Tensor, peephole: Tensor | None, c: Tensor) -> Tensor:
    """A gate's peephole term of the cell state; a weight of 0 would turn an infinite state into NaN."""
    return of_gate if peephole is None else of_gate + peephole * c


def _flat(weights: _Weights) -> Tensors:
    """The weights for torch's kernel: with biases for both products, or without any."""
    weight_ih, weight_hh, bias, _ = weights
    return (weight_ih, weight_hh) if bias is None else (weight_ih, weight_hh, bias, torch.zeros_like(bias))


def _torch_lstm(x: Tensor, h: Tensor, c: Tensor, weights: Tensors, *, both_ways: bool) -> _States:
    """Compute by torch's fused kernel; the first axis of the states is the direction.

    :raises PackageError: Shapes do not fit, which the kernel does not check.
    """
    hidden, start = h.shape[-1], (x.shape[1], h.shape[-1])
    wanted = {(4 * hidden, x.shape[-1]), (4 * hidden, hidden), (4 * hidden,)}
    fit = all(weight.shape in wanted for weight in weights)
    if not fit or any(state.shape[1:] != start for state in (h, c)):
        shapes = ", ".join(str(tuple(value.shape)) for value in (x, h, c, *weights))
        raise PackageError(f"its operands do not fit each other: they have the shapes {shapes}.")
    count = len(weights) // (2 if both_ways else 1)
    biased, layers, dropout, train, batch_first = count > _WEIGHTS, 1, 0.0, False, False
    return torch.lstm(
        x, (h.contiguous(), c.contiguous()), weights, biased, layers, dropout, train, both_ways, batch_first
    )


def _order(steps: Tensor, direction: str) -> Tensors:
    return (steps.flip(0) if direction == "reverse" else steps).unbind(0)


def _sequence(states: list[Tensor], sequence: bool) -> Tensor:
    return torch.stack(states) if sequence else states[-1][None]
