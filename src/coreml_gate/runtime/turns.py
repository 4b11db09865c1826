"""Computes the turns of recurrent layers in float32: a state times a matrix, and some elementwise calls.

A call of numpy on a few hundred numbers takes a third of the time of torch's. The sigmoid is torch's, because
numpy has none.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coreml_gate.untyped import MilValue

MOST_WEIGHTS: Final = 2**17
"""Up to this size numpy's product with a vector runs on one thread, whatever the settings (as with 196,608
weights; 786,432 run on two and take 20 times as long), and takes two thirds of the time of torch's."""


IN_PLACE: Final[Mapping[str, Callable[[NDArray[np.float32]], object]]] = MappingProxyType(
    {"relu": lambda x: np.maximum(x, 0, x), "tanh": lambda x: np.tanh(x, x)}
)
"""The activations for which numpy has a single kernel."""


class TurnProduct(NamedTuple):
    """``call(state, weight, out=out)`` for each of ``states``; ``out`` shares the memory of the product."""

    call: Callable[..., object]
    states: Iterable[MilValue]
    weight: MilValue
    out: MilValue


def turn_product(states: Tensor, weight: Tensor, product: Tensor) -> TurnProduct:
    """The product by numpy for one sequence of a small layer, and by torch otherwise, as the shapes decide.

    :param states: (length, batch, hidden), dense and float32, read turn by turn.
    :param weight: (hidden, width), dense.
    :param product: (batch, width), dense.
    """
    if states.shape[1] == 1 and weight.numel() <= MOST_WEIGHTS:
        return TurnProduct(np.dot, states.numpy()[:, 0], weight.numpy(), product.numpy()[0])
    return TurnProduct(torch.mm, states, weight, product)


def rnn_turns(
    activate: Callable[[NDArray[np.float32]], object], weight: Tensor, products: Tensor, rows: Tensor
) -> None:
    """Write into each row after the first the state that follows from the row before it.

    :param activate: In place.
    :param weight: (hidden, hidden), dense.
    :param products: (length, batch, hidden): what the inputs add, and the biases.
    :param rows: (length + 1, batch, hidden), float32 and dense; row 0 is the initial state.
    """
    product = torch.empty_like(rows[0])
    multiply, states, by, out = turn_product(rows, weight, product)
    of_h, add = product.numpy(), np.add
    with np.errstate(all="ignore"):  # non-finite values are the program's affair
        for of_x, state, row in zip(products.numpy(), states, rows.numpy()[1:], strict=False):
            multiply(state, by, out=out)
            add(of_x, of_h, row)
            activate(row)


def gru_turns(weight: Tensor, bias: Tensor, products: Tensor, rows: Tensor) -> None:
    """Write into each row after the first the state that follows from the row before it.

    :param weight: (hidden, 3 * hidden), and ``bias`` (3 * hidden): reset, update and new state.
    :param products: (length, batch, 3 * hidden): what the inputs add to the three; overwritten.
    :param rows: (length + 1, batch, hidden), float32 and dense; row 0 is the initial state.
    """
    batch, hidden = rows.shape[1:]
    product, fresh = torch.empty((batch, 3 * hidden)), np.empty((batch, hidden), np.float32)
    gates = product[:, : 2 * hidden].contiguous()  # the product's own memory for one sequence
    apart = gates.data_ptr() != product.data_ptr()
    of_h, all_gates = product.numpy(), gates.numpy()
    gates_of_h, new_of_h = np.split(of_h, [2 * hidden], -1)
    reset, update = np.split(all_gates, 2, -1)
    multiply, states, by, out = turn_product(rows, weight, product)
    sigmoid, add, mul, sub, tanh = gates.sigmoid_, np.add, np.multiply, np.subtract, np.tanh
    of_new = products[..., 2 * hidden :].clone().numpy()
    products[..., : 2 * hidden] += bias[: 2 * hidden]
    products[..., 2 * hidden :] = bias[2 * hidden :]  # the reset gate multiplies the bias, not the input
    arrays = rows.numpy()
    turns = zip(products.numpy(), of_new, states, arrays, arrays[1:], strict=False)
    with np.errstate(all="ignore"):  # non-finite values are the program's affair
        for of_x, new_of_x, state, old, row in turns:
            multiply(state, by, out=out)
            add(of_x, of_h, of_h)
            if apart:
                np.copyto(all_gates, gates_of_h)
            sigmoid()
            mul(reset, new_of_h, fresh)
            add(fresh, new_of_x, fresh)
            tanh(fresh, fresh)
            sub(old, fresh, row)  # (1 - z) * n + z * h is n + z * (h - n)
            mul(update, row, row)
            add(fresh, row, row)


def lstm_turns(weight: Tensor, products: Tensor, rows: Tensor, cell: Tensor) -> None:
    """As ``rnn_turns``, for the gates input, forget, new, output.

    :param cell: (batch, hidden), dense: the initial cell state, overwritten by each turn's.
    """
    batch, hidden = cell.shape
    gates, fresh = torch.empty((batch, 4 * hidden)), np.empty((batch, hidden), np.float32)
    multiply, states, by, out = turn_product(rows, weight, gates)
    both, last = gates[:, : 2 * hidden], gates[:, 3 * hidden :]
    all_gates, held = gates.numpy(), cell.numpy()
    put, forget, new, give = np.split(all_gates, 4, -1)
    add, mul, tanh = np.add, np.multiply, np.tanh
    with np.errstate(all="ignore"):  # non-finite values are the program's affair
        for of_x, state, row in zip(products.numpy(), states, rows.numpy()[1:], strict=False):
            multiply(state, by, out=out)
            add(of_x, all_gates, all_gates)
            both.sigmoid_()
            last.sigmoid_()
            tanh(new, new)
            mul(put, new, fresh)
            mul(held, forget, held)
            add(held, fresh, held)
            tanh(held, row)
            mul(row, give, row)
