"""Computes the turns of recurrent layers in half precision, rounding after each operation of the program."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from coreml_gate.runtime.turns import turn_product

OfState = Callable[[Tensor, Tensor], Tensor]
"""Computes a state's terms into the tensor of halves that is the second argument."""


def half_product(weight: Tensor, bias: Tensor | None, batch: int, *, rounds: bool) -> OfState:
    """A state's terms: torch's own product of the same operands, so it has the bits of the program's.

    :param weight: (hidden, gates * hidden), float32.
    :param bias: (gates * hidden), float32.
    :param rounds: The product is stored as halves before the bias is added.
    """
    hidden, width = weight.shape
    wide, product = torch.empty((batch, hidden)), torch.empty((batch, width))

    def without_bias(state: Tensor, stored: Tensor) -> Tensor:
        return stored.copy_(torch.mm(wide.copy_(state), weight, out=product))

    if bias is None:
        return without_bias
    added, half = bias, bias.half()

    def rounded_once(state: Tensor, stored: Tensor) -> Tensor:
        return stored.copy_(torch.addmm(added, wide.copy_(state), weight, out=product))

    return (lambda state, stored: without_bias(state, stored).add_(half)) if rounds else rounded_once


def rnn_in_half(
    activate: Callable[[Tensor], Tensor], of_state: OfState, products: Tensor, rows: Tensor
) -> None:
    """Write into each row after the first the state that follows from the row before it.

    :param activate: In place.
    :param products: (length, batch, hidden): the terms of the inputs.
    :param rows: (length + 1, batch, hidden); row 0 is the initial state.
    """
    state, *others = rows
    for of_x, row in zip(products, others, strict=True):
        state = activate(of_state(state, row).add_(of_x))


def gru_in_half(of_state: OfState, products: Tensor, rows: Tensor) -> None:
    """As ``rnn_in_half``: reset, update, new state. Calls in place are faster than others."""
    hidden = rows.shape[-1]
    of_h = torch.empty((rows.shape[1], 3 * hidden), dtype=torch.float16)
    gates, new = torch.split(of_h, [2 * hidden, hidden], -1)
    (reset, update), (state, *others) = gates.chunk(2, -1), rows
    of_gates, of_new = (part.unbind(0) for part in torch.split(products, [2 * hidden, hidden], -1))
    for gates_of_x, new_of_x, row in zip(of_gates, of_new, others, strict=True):
        of_state(state, of_h)
        gates.add_(gates_of_x).sigmoid_()
        new.mul_(reset).add_(new_of_x).tanh_()
        state = torch.sub(state, new, out=row).mul_(update).add_(new)


def lstm_in_half(of_state: OfState, products: Tensor, rows: Tensor, cell: Tensor) -> None:
    """As ``gru_in_half``: input, forget, new, output.

    The new values are stored next to the cell state, like their two gates, so one call multiplies both
    pairs. A sigmoid of all four parts is faster than two calls.

    :param cell: (batch, hidden): the initial cell state, overwritten by each turn's.
    """
    batch, hidden = cell.shape
    gates = torch.empty((batch, 4 * hidden), dtype=torch.float16)
    gated, fresh, give = torch.split(gates, [2 * hidden, hidden, hidden], -1)
    new_and_held = torch.empty_like(gated)
    (new, held), (put, kept), (state, *others) = new_and_held.chunk(2, -1), gated.chunk(2, -1), rows
    held.copy_(cell)
    for of_x, row in zip(products, others, strict=True):
        of_state(state, gates).add_(of_x)
        torch.tanh(fresh, out=new)
        gates.sigmoid_()
        gated.mul_(new_and_held)
        torch.add(put, kept, out=held)
        state = torch.tanh(held, out=row).mul_(give)
    cell.copy_(held)


def gru_loop_in_half(weight: Tensor, products: Tensor, rows: Tensor) -> None:
    """As ``gru_turns``, for halves and by the formula of the program's loop: ``(1 - z) * n + z * h``.

    The state's term of the new state is stored next to the state, like the two gates, so one call multiplies
    both pairs. Calls in place are faster than those into a given tensor, so the program's sum is computed as
    ``z * h - (z - 1) * n``, with the same bits.

    :param weight: (hidden + 1, 3 * hidden), float32: the bias is the last row, which multiplies a 1 after
        each state.
    """
    batch, hidden = rows.shape[1:]
    wide, product = torch.ones((len(rows), batch, hidden + 1)), torch.empty((batch, 3 * hidden))
    multiply, given, by, out = turn_product(wide, weight, product)
    states, stored = wide[..., :hidden], torch.empty((batch, 4 * hidden), dtype=torch.float16)
    of_h, gates, new_and_state = stored[:, : 3 * hidden], stored[:, : 2 * hidden], stored[:, 2 * hidden :]
    update, (new, kept) = gates[:, hidden:], new_and_state.chunk(2, -1)
    of_gates, of_new = (part.unbind(0) for part in torch.split(products, [2 * hidden, hidden], -1))
    states[0], ones = kept.copy_(rows[0]), torch.ones_like(new)
    with np.errstate(all="ignore"):  # non-finite values are the program's affair
        for gates_of_x, new_of_x, row, state in zip(
            of_gates, of_new, given, states[1:].unbind(0), strict=False
        ):
            multiply(row, by, out=out)
            of_h.copy_(product)
            gates.add_(gates_of_x).sigmoid_()
            new_and_state.mul_(gates)
            new.add_(new_of_x).tanh_()
            kept.sub_(update.sub_(ones).mul_(new))
            state.copy_(kept)
    rows[1:] = states[1:]
