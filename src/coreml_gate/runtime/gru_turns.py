"""The turns of a recognised GRU loop: in half precision by torch, in float32 by numpy too.

A call of numpy on a few hundred numbers takes a third of the time of torch's, and a turn is ten such calls.
The sigmoid, of which numpy has none, is torch's in both.
"""

import numpy as np
import torch
from torch import Tensor

from coreml_gate.runtime.turns import turn_product


def turns_in_float32(weight: Tensor, bias: Tensor, products: Tensor, rows: Tensor) -> None:
    """Write into each row after the first the state that follows from the row before it.

    :param weight: (hidden, 3 * hidden), and ``bias`` (3 * hidden): reset, update and new state.
    :param products: (length, batch, 3 * hidden): what the inputs add to the three; overwritten.
    :param rows: (length + 1, batch, hidden), float32 and dense; row 0 is the initial state.
    """
    batch, hidden = rows.shape[1:]
    product, gates = (torch.empty((batch, size * hidden)) for size in (3, 2))
    gates_of_h, new_of_h = np.split(product.numpy(), [2 * hidden], -1)
    all_gates, fresh = gates.numpy(), np.empty((batch, hidden), np.float32)
    reset, update = np.split(all_gates, 2, -1)
    multiply, states, by, out = turn_product(rows, weight, product)
    sigmoid, add, mul, sub, tanh = gates.sigmoid_, np.add, np.multiply, np.subtract, np.tanh
    products[..., : 2 * hidden] += bias[: 2 * hidden]
    new_bias, of_x, arrays = bias[2 * hidden :].numpy(), products.numpy(), rows.numpy()
    turns = zip(of_x[..., : 2 * hidden], of_x[..., 2 * hidden :], states, arrays, arrays[1:], strict=False)
    with np.errstate(all="ignore"):  # what is no number is the program's affair
        for gates_of_x, new_of_x, state, old, row in turns:
            multiply(state, by, out=out)
            add(gates_of_x, gates_of_h, all_gates)
            sigmoid()
            add(new_of_h, new_bias, new_of_h)
            mul(reset, new_of_h, fresh)
            add(fresh, new_of_x, fresh)
            tanh(fresh, fresh)
            sub(old, fresh, row)  # (1 - z) * n + z * h is n + z * (h - n)
            mul(update, row, row)
            add(fresh, row, row)


def turns_in_half(weight: Tensor, bias: Tensor, products: Tensor, rows: Tensor) -> None:
    """As ``turns_in_float32``, of halves; weight and bias are float32, and each operation rounds once.

    What the state adds to the new state stands beside the state, as the two gates stand side by side: so one
    call multiplies both pairs.
    """
    batch, hidden = rows.shape[1:]
    wide, product = torch.empty((1, batch, hidden)), torch.empty((batch, 3 * hidden))
    (widened,) = wide
    multiply, (state,), by, out = turn_product(wide, weight, product)
    stored = torch.empty((batch, 4 * hidden), dtype=torch.float16)
    of_h, gates_of_h = stored[:, : 3 * hidden], stored[:, : 2 * hidden]
    new_and_state, held = stored[:, 2 * hidden :], stored[:, 3 * hidden :]
    gates, gated = torch.empty((2, batch, 2 * hidden), dtype=torch.float16)
    (_, update), (new, kept) = gates.chunk(2, -1), gated.chunk(2, -1)
    rest, one = torch.empty((batch, hidden), dtype=torch.float16), torch.ones((), dtype=torch.float16)
    add, mul, sub, biased, biases = torch.add, torch.mul, torch.sub, product.numpy(), bias.numpy()
    of_gates, of_new = (part.unbind(0) for part in torch.split(products, [2 * hidden, hidden], -1))
    turns = zip(of_gates, of_new, rows[:-1], rows[1:], strict=True)
    with np.errstate(all="ignore"):  # what is no number is the program's affair
        for gates_of_x, new_of_x, old, row in turns:
            held.copy_(widened.copy_(old))
            multiply(state, by, out=out)
            np.add(biased, biases, biased)
            of_h.copy_(product)
            add(gates_of_x, gates_of_h, out=gates).sigmoid_()
            mul(gates, new_and_state, out=gated)
            new.add_(new_of_x).tanh_()
            sub(one, update, out=rest).mul_(new)
            add(rest, kept, out=row)
