"""A recognised GRU loop, computed with ten calls a turn instead of thirty.

The three gates are stacked into one product, the products of the inputs are taken for all positions at once,
and results go to buffers that all turns share. Half precision rounds where the program does. Products add in
another order than the program's, as they do on another processor.

Each set of shapes is tried first: the program itself and the layer compute drawn values, and the layer serves
from then on only where both agree within ``TOLERANCE``. It serves every run, also under an observer, who sees
the program's operations beside it: so all runs give the same bits.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from coreml_gate.mil.ir import Constant, Operation
from coreml_gate.runtime.arguments import Known
from coreml_gate.runtime.gru_loop import LONGEST, GruLoop, gru_loop
from coreml_gate.runtime.gru_turns import turns_in_float32, turns_in_half
from coreml_gate.runtime.ops.linear import linear
from coreml_gate.runtime.packed import PackedLinear, available
from coreml_gate.runtime.plan import Observe
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.runtime.registry import Body
from coreml_gate.untyped import MilValue

TOLERANCE: Final = {torch.float32: 1e-5, torch.float16: 4e-3}
"""How far a state, which is of the size of 1, may be from the program's: some units in the last place."""
_SEQUENCE_RANK = 3
Plain = Callable[..., tuple[MilValue, ...]]


class GruLayer:
    """The cell's stacked constants, in float32; ``dtype`` is what states and results are stored in."""

    def __init__(self, x: tuple[Tensor, Tensor], h: tuple[Tensor, Tensor], dtype: torch.dtype) -> None:
        self._of_x = input_layer(*x)
        self._h_weight, self._h_bias = h
        self._dtype = dtype
        self.tolerance = TOLERANCE[dtype]

    @cached_property
    def _turned(self) -> Tensor:
        """The weight of the state as the products of all turns read it."""
        return self._h_weight.T.contiguous()

    def run(self, sequence: Tensor, states: Tensor, steps: int) -> Tensor:
        """The states after ``steps`` turns.

        :param sequence: (length, batch, features), of at least ``steps`` positions.
        :param states: (length, batch, hidden), row 0 the initial one, zeros behind it; of at least
            ``steps + 1`` rows.
        """
        rows = states.to(self._dtype, copy=True).contiguous()
        turns = turns_in_float32 if self._dtype is torch.float32 else turns_in_half
        turns(self._turned, self._h_bias, self._products(sequence[:steps]), rows[: steps + 1])
        return rows.to(states.dtype)

    def _products(self, sequence: Tensor) -> Tensor:
        """Per position what the input adds to both sigmoid gates, and to the new state."""
        products: Tensor = self._of_x(sequence.float())
        return products.to(self._dtype)


def input_layer(weight: Tensor, bias: Tensor) -> Body:
    """What the inputs of all turns add, in one product."""
    if available():
        return PackedLinear(linear, {"weight": weight, "bias": bias}, _keep)
    return lambda sequence: linear(sequence, weight, bias)


def _keep() -> None:
    """The plan reads the constants too, for the loop itself."""


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
        """The counter and the states after the loop; an observer sees the program itself run as well."""
        if not self._serves(arguments) or bool(arguments[1][1:].any()):
            return self._plain(observe, *arguments)
        if observe is not None:
            self._plain(observe, *arguments)
        return self._fast(arguments)

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
        """Do the program and the layer give the same for drawn values?"""
        draw = torch.Generator().manual_seed(0)
        drawn = list(arguments)
        for place in (1, self._sequence):
            drawn[place] = torch.empty_like(drawn[place]).normal_(generator=draw)
        drawn[1][1:] = 0
        (_, wanted), (_, found) = self._plain(None, *drawn), self._fast(tuple(drawn))
        return torch.allclose(wanted, found, rtol=0, atol=self._layer.tolerance)


def _fits(sequence: Tensor, states: Tensor, steps: int) -> bool:
    """May the layer run at all? If not, the program says what is wrong."""
    if not sequence.ndim == states.ndim == _SEQUENCE_RANK or sequence.shape[1] != states.shape[1]:
        return False
    return 0 < steps <= min(len(sequence), len(states) - 1, LONGEST)
