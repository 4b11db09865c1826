"""The product of each turn of a recurrent layer: a state by a matrix, a few microseconds, many times."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from coreml_gate.untyped import MilValue

MOST_WEIGHTS: Final = 2**17
"""Up to here numpy's product of a vector runs on one thread, whatever is set (so do 196,608 weights; 786,432
run on two and take 20 times as long), and a call of it takes two thirds of the time of torch's."""


class TurnProduct(NamedTuple):
    """``call(state, weight, out=out)`` for each of ``states``; ``out`` shares the memory of the product."""

    call: Callable[..., object]
    states: Iterable[MilValue]
    weight: MilValue
    out: MilValue


def turn_product(states: Tensor, weight: Tensor, product: Tensor) -> TurnProduct:
    """By numpy for one sequence of a small layer, by torch else: which follows from the shapes alone.

    :param states: (length, batch, hidden), dense and float32, read turn by turn.
    :param weight: (hidden, width), dense.
    :param product: (batch, width), dense.
    """
    if states.shape[1] == 1 and weight.numel() <= MOST_WEIGHTS:
        return TurnProduct(np.dot, states.numpy()[:, 0], weight.numpy(), product.numpy()[0])
    return TurnProduct(torch.mm, states, weight, product)
