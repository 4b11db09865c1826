"""Recognises the last operation of one turn of a recurrent layer that is written out turn by turn.

coremltools' export route uses torch's own decompositions of its layers. In each turn

    RNN     h' = tanh(x + linear(h)), or relu
    GRU     r = sigmoid(x + linear(h))      z = sigmoid(x + linear(h))
            n = tanh(x + r * linear(h))     h' = (h - n) * z + n
    LSTM    i, f, g, o of x + linear(h)     c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h' = sigmoid(o) * tanh(c')

where ``x`` is a row of the input terms of all turns. The two operands of a sum or a product may be in either
order, and operations that only change shapes may be anywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeVar

from coreml_gate.mil.ir import Argument, Block, Constant, Operation, Shape, TensorType
from coreml_gate.runtime.pattern import OtherFormError, Wiring, argument, demand, dtype

Cell = Literal["gru", "lstm", "relu", "tanh"]
GATES: Final[Mapping[Cell, int]] = MappingProxyType({"gru": 3, "lstm": 4, "relu": 1, "tanh": 1})
SHAPES_ALONE: Final = frozenset({"expand_dims", "reshape", "squeeze"})
_MATRIX, _ROW_RANK = 2, 3
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class InputRow:
    """One position of the input terms of all turns: (length, batch, gates * hidden)."""

    products: str
    position: int


@dataclass(frozen=True, slots=True)
class StateProduct:
    """A state's terms: its product with a constant matrix, and a bias."""

    state: str
    weight: Constant
    bias: Constant | None
    turned: bool
    """Whether the weight is (gates * hidden, hidden), as in ``linear``."""
    rounds: bool
    """Whether the product is stored before the bias is added, and so rounded twice."""


Folded = tuple[Constant, ...]
"""The terms of a constant state, per gate or for all of them."""
OfState = StateProduct | Folded


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: its inputs, and the names of its resulting states."""

    cell: Cell
    dtype: str
    row: InputRow
    of_state: OfState
    states: tuple[str, ...]
    """The state; for an LSTM the hidden and the cell state."""
    before: tuple[str | Constant | None, ...]
    """The states before the turn; ``None`` if only ``of_state`` shows them."""


class Piece(NamedTuple):
    """The index and number of equal pieces of the last axis."""

    place: int
    of: int


WHOLE: Final = Piece(0, 1)


class TurnReader:
    """Reads turns backwards, from their resulting state."""

    def __init__(self, block: Block) -> None:
        self._wiring = Wiring(block, {})
        self._dtype = ""

    def turn(self, last: Operation) -> Turn | None:
        """The turn of which an operation is the last; ``None`` if there is none."""
        readers = {"add": self._gru, "mul": self._lstm, "relu": self._rnn, "tanh": self._rnn}
        if last.type not in readers:
            return None
        self._dtype = dtype(last)
        try:
            return readers[last.type](last)
        except OtherFormError:
            return None

    def _rnn(self, last: Operation) -> Turn:
        row, of_state = self._sum(argument(last, "x"), WHOLE)
        cell: Cell = "relu" if last.type == "relu" else "tanh"
        before = of_state.state if isinstance(of_state, StateProduct) else None
        return Turn(cell, self._dtype, row, of_state, (last.name,), (before,))

    def _gru(self, last: Operation) -> Turn:
        return self._either(last.name, "add", partial(self._gru_turn, last.name))

    def _gru_turn(self, name: str, change: Argument, new: Argument) -> Turn:
        less, update = self._either(change, "mul", lambda less, gate: (self._computed(less, "sub"), gate))
        demand(self._unshaped(argument(less, "y")) == self._unshaped(new))
        row, reset, of_new = self._either(self._only(new, "tanh"), "add", self._new_state)
        sums = [
            self._sum(self._only(gate, "sigmoid"), Piece(place, 3))
            for place, gate in enumerate((reset, update))
        ]
        demand({row} == {row_of_gate for row_of_gate, _ in sums})
        of_state = _one((*(of for _, of in sums), of_new))
        before = self._state(argument(less, "x"))
        demand(isinstance(of_state, tuple) or of_state.state == before)
        return Turn("gru", self._dtype, row, of_state, (name,), (before,))

    def _new_state(self, of_x: Argument, gated: Argument) -> tuple[InputRow, Argument, OfState]:
        """The row, the reset gate, and the state's terms."""
        piece = Piece(2, 3)
        reset, of_state = self._either(gated, "mul", lambda gate, of: (gate, self._of_state(of, piece)))
        return self._row(of_x, piece), reset, of_state

    def _lstm(self, last: Operation) -> Turn:
        out, cell = self._either(last.name, "mul", lambda gate, act: (gate, self._only(act, "tanh")))
        return self._either(cell, "add", partial(self._lstm_turn, (last.name, self._unshaped(cell)), out))

    def _lstm_turn(
        self, states: tuple[Argument, Argument], out: Argument, kept: Argument, fresh: Argument
    ) -> Turn:
        forget, before = self._either(kept, "mul", lambda gate, state: (self._only(gate, "sigmoid"), state))
        add, new = self._either(
            fresh, "mul", lambda gate, act: (self._only(gate, "sigmoid"), self._only(act, "tanh"))
        )
        gates = (add, forget, new, self._only(out, "sigmoid"))
        totals = {self._piece(gate, Piece(place, 4)) for place, gate in enumerate(gates)}
        demand(len(totals) == 1)
        row, of_state = self._sum(totals.pop(), WHOLE)
        before_h = None if isinstance(of_state, tuple) else of_state.state
        names = tuple(str(state) for state in states)
        return Turn("lstm", self._dtype, row, of_state, names, (before_h, self._state(before)))

    def _sum(self, name: Argument, piece: Piece) -> tuple[InputRow, OfState]:
        return self._either(name, "add", lambda x, y: (self._row(x, piece), self._of_state(y, piece)))

    def _row(self, name: Argument, piece: Piece) -> InputRow:
        """The row of which this is a piece."""
        cut = self._computed(self._piece(name, piece), "slice_by_index")
        begin = self._wiring.values(argument(cut, "begin"))
        demand(len(_shape(cut)) == len(begin) == _ROW_RANK and _shape(cut)[0] == 1)
        demand(begin[1:] == [0, 0] and isinstance(begin[0], int) and begin[0] >= 0)
        for steers, neutral in (("stride", 1), ("begin_mask", False), ("squeeze_mask", False)):
            if steers in cut.inputs:
                demand(set(self._wiring.values(argument(cut, steers))) == {neutral})
        return InputRow(self._computed_name(argument(cut, "x")), begin[0])

    def _of_state(self, name: Argument, piece: Piece) -> OfState:
        """The state's terms of which this is a piece."""
        constant = self._constant(name)
        if constant is not None:
            return (constant,)
        name = self._unshaped(self._piece(name, piece))
        made = self._wiring.maker(name)
        if made is not None and made.type == "linear":
            return self._product(made, ("weight", True), self._parameter(argument(made, "bias")))
        if made is not None and made.type == "matmul":
            return self._matrix_product(name, None)
        return self._either(name, "add", lambda x, y: self._matrix_product(y, self._parameter(x)))

    def _matrix_product(self, name: Argument, bias: Constant | None) -> StateProduct:
        made = self._computed(name, "matmul")
        turned = self._wiring.values(argument(made, "transpose_y"))
        demand(self._wiring.values(argument(made, "transpose_x")) == [False])
        return self._product(made, ("y", turned == [True]), bias)

    def _product(self, made: Operation, matrix: tuple[str, bool], bias: Constant | None) -> StateProduct:
        demand(dtype(made) == self._dtype and len(_shape(made)) == _MATRIX)
        parameter, turned = matrix
        weight = self._parameter(argument(made, parameter))
        state = self._computed_name(self._unshaped(argument(made, "x")))
        return StateProduct(state, weight, bias, turned, rounds=made.type == "matmul")

    def _piece(self, name: Argument, piece: Piece) -> Argument:
        """The value of which this is that piece."""
        if piece == WHOLE:
            return name
        name = self._unshaped(name)
        split = self._wiring.made(name, "split")
        kinds = {value.type for value in split.outputs}
        last = {-1, len(_shape(split)) - 1}
        demand(len(split.outputs) == piece.of and len(kinds) == 1)
        demand(last.issuperset(self._wiring.values(argument(split, "axis"))))
        demand(split.outputs[piece.place].name == name)
        return argument(split, "x")

    def _either(self, name: Argument, kind: str, read: Callable[[Argument, Argument], _Read]) -> _Read:
        """Read the two operands in one order or the other."""
        made = self._computed(name, kind)
        x, y = argument(made, "x"), argument(made, "y")
        try:
            return read(x, y)
        except OtherFormError:
            return read(y, x)

    def _unshaped(self, name: Argument) -> Argument:
        """The value before operations that only change its shape."""
        made = self._wiring.maker(name)
        return name if made is None or made.type not in SHAPES_ALONE else self._unshaped(argument(made, "x"))

    def _only(self, name: Argument, kind: str) -> Argument:
        return argument(self._computed(name, kind), "x")

    def _computed(self, name: Argument, kind: str) -> Operation:
        """The operation that gives the value before changes of shape; all compute in one element type."""
        made = self._wiring.made(self._unshaped(name), kind)
        demand(dtype(made) == self._dtype)
        return made

    def _computed_name(self, name: Argument) -> str:
        if not isinstance(name, str) or name in self._wiring.known:
            raise OtherFormError
        return name

    def _state(self, name: Argument) -> str | Constant:
        """A state before a turn, without changes of shape."""
        name = self._unshaped(name)
        return self._constant(name) or name

    def _constant(self, name: Argument) -> Constant | None:
        known = self._wiring.known.get(name) if isinstance(name, str) else name
        return known if isinstance(known, Constant) else None

    def _parameter(self, name: Argument) -> Constant:
        constant = self._constant(name)
        if constant is None or dtype(constant) != self._dtype:
            raise OtherFormError
        return constant


def _one(products: tuple[OfState, ...]) -> OfState:
    """The state's terms for all gates, from its terms for each."""
    constants = [product for product in products if isinstance(product, tuple)]
    if len(constants) == len(products):
        return tuple(constant for each in constants for constant in each)
    demand(len(set(products)) == 1)
    return products[0]


def _shape(operation: Operation) -> Shape:
    kind = operation.outputs[0].type
    return kind.shape if isinstance(kind, TensorType) else ()
