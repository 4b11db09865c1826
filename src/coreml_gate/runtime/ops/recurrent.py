"""Recurrent layers over sequences of the shape (length, batch, features).

In reverse, the states come in the order in which they are computed, the last step of the input first; only a
bidirectional layer brings them back into the input's order. So do coremltools' own tests expect it
(``mil/ops/tests/iOS14/test_recurrent.py``).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from coreml_gate.runtime.registry import ROUND, Tensors, operation

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "hard_sigmoid": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "linear": lambda x: x,
    "relu": torch.relu,
    "scaled_tanh": torch.tanh,  # both its factors are 1 here
    "sigmoid": torch.sigmoid,
    "sigmoid_hard": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "tanh": torch.tanh,
}


@operation(ROUND)
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
    act = _ACTIVATIONS[activation]
    projected = torch.nn.functional.linear(x, weight_ih, bias)
    h, states = initial_h, []
    for step in _order(projected, direction):
        h = act(step + h @ weight_hh.T)
        states.append(h)
    return _sequence(states, output_sequence), h


@operation(ROUND)
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
        h = (1 - z) * o + z * h
        states.append(h)
    return _sequence(states, output_sequence), h


@operation(ROUND)
def lstm(
    x: Tensor,
    initial_h: Tensor,
    initial_c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    peephole: Tensor | None = None,
    weight_ih_back: Tensor | None = None,
    weight_hh_back: Tensor | None = None,
    bias_back: Tensor | None = None,
    peephole_back: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
    clip: float | None = None,
) -> Tensors:
    names = (recurrent_activation, cell_activation, activation)
    if weight_ih_back is None or weight_hh_back is None:
        one = (weight_ih, weight_hh, bias, peephole)
        states, h, c = _lstm(x, initial_h, initial_c, one, direction, names, clip)
        return (states if output_sequence else h[None]), h, c
    (h, h_back), (c, c_back) = initial_h.chunk(2, -1), initial_c.chunk(2, -1)
    back = (weight_ih_back, weight_hh_back, bias_back, peephole_back)
    there = _lstm(x, h, c, (weight_ih, weight_hh, bias, peephole), "forward", names, clip)
    states, *last = _lstm(x, h_back, c_back, back, "reverse", names, clip)
    states, h, c = (torch.cat(both, -1) for both in zip(there, (states.flip(0), *last), strict=True))
    return (states if output_sequence else h[None]), h, c


_Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]


def _lstm(  # one direction of the operation
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weights: _Weights,
    direction: str,
    names: tuple[str, str, str],
    clip: float | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """States in the order of computation, last hidden and last cell state of one direction."""
    if names == ("sigmoid", "tanh", "tanh") and clip is None and weights[3] is None:
        return _torch_lstm(x, h, c, weights, direction)
    weight_ih, weight_hh, bias, peephole = weights
    gate, cell, out = (_ACTIVATIONS[name] for name in names)
    hidden = weight_hh.shape[-1]
    p_i, p_f, p_o = (torch.zeros(3 * hidden) if peephole is None else peephole).chunk(3)
    projected = torch.nn.functional.linear(x, weight_ih, bias)
    states = []
    for step in _order(projected, direction):
        i, f, o, z = (step + h @ weight_hh.T).chunk(4, -1)
        c = gate(f + p_f * c) * c + gate(i + p_i * c) * cell(z)
        c = c if clip is None else c.clamp(-clip, clip)
        h = gate(o + p_o * c) * out(c)
        states.append(h)
    return torch.stack(states), h, c


def _torch_lstm(
    x: Tensor, h: Tensor, c: Tensor, weights: _Weights, direction: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Torch's fused kernel; it wants the gates in the order input, forget, cell, output."""
    reverse = direction == "reverse"
    flat = [_torch_order(item) for item in weights[:2]]
    if weights[2] is not None:
        flat += [_torch_order(weights[2]), torch.zeros_like(weights[2])]
    states, h, c = torch.lstm(
        x.flip(0) if reverse else x,
        (h[None].contiguous(), c[None].contiguous()),
        flat,
        weights[2] is not None,
        1,
        0.0,
        False,  # noqa: FBT003  # torch.lstm takes its flags by position only
        False,  # noqa: FBT003
        False,  # noqa: FBT003
    )
    return states, h[0], c[0]


def _torch_order(gates: Tensor) -> Tensor:
    i, f, o, z = gates.chunk(4)
    return torch.cat((i, f, z, o))


def _order(steps: Tensor, direction: str) -> Tensors:
    return (steps.flip(0) if direction == "reverse" else steps).unbind(0)


def _sequence(states: list[Tensor], sequence: bool) -> Tensor:
    return torch.stack(states) if sequence else states[-1][None]
