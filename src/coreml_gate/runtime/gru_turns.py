"""The turns of a recognised GRU loop: in half precision by torch, in float32 by numpy too.

numpy's sums and products of float32 have the same bits as torch's, and a call of it takes a third of the
time: that counts where a turn is ten calls on a few hundred numbers. Activations and the product are torch's
in both.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def turns_in_float32(weight: Tensor, bias: Tensor, products: Tensor, rows: Tensor) -> None:
    """Add to each row after the first the state that follows from the row before it.

    :param weight: (3 * hidden, hidden), and ``bias`` (3 * hidden): reset, update and new state.
    :param products: (length, batch, 3 * hidden): what the inputs add to the three.
    :param rows: (length + 1, batch, hidden), float32 and dense; row 0 is the initial state.
    """
    batch, hidden = rows.shape[1:]
    product, gates, new = (torch.empty((batch, size * hidden)) for size in (3, 2, 1))
    gates_of_h, new_of_h = np.split(product.numpy(), [2 * hidden], -1)
    all_gates, fresh = gates.numpy(), new.numpy()
    reset, update = np.split(all_gates, 2, -1)
    kept, rest, one = *np.empty((2, batch, hidden), np.float32), np.float32(1)
    transposed, addmm, add, mul, sub = weight.T, torch.addmm, np.add, np.multiply, np.subtract
    sigmoid, tanh = gates.sigmoid_, new.tanh_
    of_x, arrays = products.numpy(), rows.numpy()
    turns = zip(of_x[..., : 2 * hidden], of_x[..., 2 * hidden :], rows, arrays, arrays[1:], strict=False)
    with np.errstate(all="ignore"):  # what is no number is the program's affair
        for gates_of_x, new_of_x, state, state_array, row in turns:
            addmm(bias, state, transposed, out=product)
            add(gates_of_x, gates_of_h, all_gates)
            sigmoid()
            mul(reset, new_of_h, fresh)
            add(fresh, new_of_x, fresh)
            tanh()
            sub(one, update, rest)
            mul(rest, fresh, rest)
            mul(update, state_array, kept)
            add(rest, kept, rest)
            add(row, rest, row)


def turns_in_half(weight: Tensor, bias: Tensor, products: Tensor, rows: Tensor) -> None:
    """As ``turns_in_float32``, of halves; weight and bias are float32, and each call rounds once."""
    batch, hidden = rows.shape[1:]
    project, stored = _projection(weight, bias, batch)
    gates_of_h, new_of_h = torch.split(stored, [2 * hidden, hidden], -1)
    gates = torch.empty((batch, 2 * hidden), dtype=torch.float16)
    reset, update = gates.chunk(2, -1)
    new, kept, rest = torch.empty((3, batch, hidden), dtype=torch.float16)
    add, mul, sub, one = torch.add, torch.mul, torch.sub, torch.ones((), dtype=torch.float16)
    of_gates, of_new = torch.split(products, [2 * hidden, hidden], -1)
    state, *written = rows.unbind(0)
    for gates_of_x, new_of_x, row in zip(of_gates.unbind(0), of_new.unbind(0), written, strict=True):
        project(state)
        add(gates_of_x, gates_of_h, out=gates).sigmoid_()
        mul(reset, new_of_h, out=new).add_(new_of_x).tanh_()
        sub(one, update, out=rest).mul_(new)
        row.add_(rest.add_(mul(update, state, out=kept)))
        state = row


def _projection(weight: Tensor, bias: Tensor, batch: int) -> tuple[Callable[[Tensor], object], Tensor]:
    """What takes the product of a state in half with the weight, and where it puts it."""
    rows, hidden = weight.shape
    product, wide = torch.empty((batch, rows)), torch.empty((batch, hidden))
    stored, transposed, addmm = product.half(), weight.T, torch.addmm
    return lambda state: stored.copy_(addmm(bias, wide.copy_(state), transposed, out=product)), stored
