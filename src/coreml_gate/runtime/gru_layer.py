"""A recognised GRU loop, computed with ten calls a turn instead of thirty.

Every sum, activation and rounding of the program is there, in the program's order, so float32 is equal and
half precision rounds at the same places: the three gates are stacked into one product, the products of the
inputs are taken for all positions at once (a batch of the same small products, not one large one, which
would add in another order), and results go to buffers that all turns share.

Whether a stacked product adds in the order of the separate ones is for the machine's kernels to say. So each
pair of shapes is tried first: the program itself and the layer compute drawn values, and the layer serves
from then on only where all bits are the same.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from coreml_gate.mil.ir import Constant, Operation
from coreml_gate.runtime.arguments import Known
from coreml_gate.runtime.gru_loop import LONGEST, GruLoop, gru_loop
from coreml_gate.runtime.gru_turns import turns_in_float32, turns_in_half
from coreml_gate.runtime.plan import Observe
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.untyped import MilValue

_SEQUENCE_RANK = 3
Plain = Callable[..., tuple[MilValue, ...]]


class GruLayer:
    """The cell's stacked constants, in float32; ``dtype`` is what states and results are stored in."""

    def __init__(self, x: tuple[Tensor, Tensor], h: tuple[Tensor, Tensor], dtype: torch.dtype) -> None:
        self._x_weight, self._x_bias = x
        self._h_weight, self._h_bias = h
        self._dtype = dtype

    def run(self, sequence: Tensor, states: Tensor, steps: int) -> Tensor:
        """The states after ``steps`` turns.

        :param sequence: (length, batch, features), of at least ``steps`` positions.
        :param states: (length, batch, hidden), row 0 the initial one; of at least ``steps + 1`` rows.
        """
        rows = states.to(self._dtype, copy=True).contiguous()
        turns = turns_in_float32 if self._dtype is torch.float32 else turns_in_half
        turns(self._h_weight, self._h_bias, self._products(sequence[:steps]), rows[: steps + 1])
        return rows.to(states.dtype)

    def _products(self, sequence: Tensor) -> Tensor:
        """Per position what the input adds to both sigmoid gates, and to the new state."""
        wide = sequence.float().contiguous()
        weight = self._x_weight.T.expand(len(wide), -1, -1)
        return torch.baddbmm(self._x_bias, wide, weight).to(self._dtype)


FoundLayer = tuple[GruLoop, GruLayer]


def gru_layer(
    operation: Operation,
    known: Mapping[str, Known],
    mode: Mode,
    stacked: Callable[[Sequence[Constant]], Tensor],
) -> FoundLayer | None:
    """The layer that a loop computes, made before its blocks are compiled: they share its stacked weights.

    :param stacked: Constants in float32 in one tensor.
    """
    loop = gru_loop(operation, known)
    if loop is None or (mode == "neural-engine" and loop.dtype == "fp16"):
        return None
    of_x = (stacked([gate.x_weight for gate in loop.gates]), stacked([gate.x_bias for gate in loop.gates]))
    of_h = (stacked([gate.h_weight for gate in loop.gates]), stacked([gate.h_bias for gate in loop.gates]))
    return loop, GruLayer(of_x, of_h, storage(loop.dtype, mode))


def gru_call(loop: GruLoop, layer: GruLayer, plain: Plain, places: Mapping[str, int]) -> "GruCall":
    """The layer as the plan calls it; ``places`` of the values among the loop's arguments."""
    limit = loop.limit
    if isinstance(limit, int):
        return GruCall(layer, plain, places[loop.sequence], lambda _: limit)
    return GruCall(layer, plain, places[loop.sequence], lambda arguments: int(arguments[places[limit]]))


class GruCall:
    """Takes a loop's arguments as the plan gives them: counter, states, then what its blocks capture."""

    def __init__(self, layer: GruLayer, plain: Plain, sequence: int, limit: Callable[..., int]) -> None:
        self._layer = layer
        self._plain = plain
        self._sequence = sequence
        self._limit = limit
        self._equal: dict[tuple[MilValue, ...], bool] = {}

    def __call__(self, observe: Observe | None, *arguments: MilValue) -> tuple[MilValue, ...]:
        """The counter and the states after the loop; the program itself runs under an observer."""
        if observe is None and self._serves(arguments):
            return self._fast(arguments)
        return self._plain(observe, *arguments)

    def _fast(self, arguments: tuple[MilValue, ...]) -> tuple[Tensor, Tensor]:
        counter, states, sequence = arguments[0], arguments[1], arguments[self._sequence]
        steps = self._limit(arguments)
        return counter + steps, self._layer.run(sequence, states, steps)

    def _serves(self, arguments: tuple[MilValue, ...]) -> bool:
        states, sequence, steps = arguments[1], arguments[self._sequence], self._limit(arguments)
        key = (
            states.shape,
            states.stride(),
            sequence.shape,
            sequence.stride(),
            steps,
            torch.get_num_threads(),
        )
        if key not in self._equal:
            self._equal[key] = _fits(sequence, states, steps) and self._tried(arguments)
        return self._equal[key]

    def _tried(self, arguments: tuple[MilValue, ...]) -> bool:
        """Do the program and the layer give the same bits for drawn values?"""
        draw = torch.Generator().manual_seed(0)
        drawn = list(arguments)
        for place in (1, self._sequence):
            drawn[place] = torch.empty_like(drawn[place]).normal_(generator=draw)
        plain = self._plain(None, *drawn)
        return all(torch.equal(a, b) for a, b in zip(plain, self._fast(tuple(drawn)), strict=True))


def _fits(sequence: Tensor, states: Tensor, steps: int) -> bool:
    """May the layer run at all? If not, the program says what is wrong."""
    if not sequence.ndim == states.ndim == _SEQUENCE_RANK or sequence.shape[1] != states.shape[1]:
        return False
    return 0 < steps <= min(len(sequence), len(states) - 1, LONGEST)
