"""Groups a recurrent layer's turns into one operation with the program's operations in a nested block."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch

from coreml_gate.mil.graph import captured
from coreml_gate.mil.ir import Block, Constant, Operation, StateType, TensorType
from coreml_gate.runtime.pattern import OtherFormError, Wiring, argument, demand
from coreml_gate.runtime.precision import Mode, storage
from coreml_gate.runtime.recurrent.unrolled_inputs import InputProduct, input_product
from coreml_gate.runtime.recurrent.unrolled_turns import GATES, Cell, InputRow, StateProduct, Turn, TurnReader

UNROLLED: Final = "unrolled_layer"
"""The type of such an operation, which does not exist in MIL."""
_FEWEST, _RANK = 2, 3


@dataclass(frozen=True, slots=True)
class States:
    """A result: the states from row ``first`` to before row ``stop``; row 0 is the initial state."""

    cell: bool
    """Whether these are the cell states of an LSTM, of which only the last is kept."""
    first: int
    stop: int
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class UnrolledLayer:
    """The layer that the turns compute; they read the rows of ``products`` from ``first`` on."""

    cell: Cell
    dtype: str
    products: str
    inputs: InputProduct | None
    """The computation of ``products``, if the layer includes it: an LSTM in float32."""
    first: int
    turns: int
    starts: tuple[str | None, ...]
    """The initial states; ``None`` for zeros."""
    of_state: StateProduct
    batch: int
    hidden: int
    results: tuple[States, ...]
    """The results in the order of the operation's outputs."""

    @property
    def sequence(self) -> str:
        """The value that the layer reads position by position."""
        return self.products if self.inputs is None else self.inputs.sequence


def unrolled_block(block: Block, mode: Mode) -> tuple[Block, Mapping[str, UnrolledLayer]]:
    """The block with one operation per layer, and the layers by the operation's name."""
    layers: dict[str, UnrolledLayer] = {}
    for chain in _chains(block):
        try:
            block, name, layer = _Grouping(block, chain, mode).grouped()
        except OtherFormError:
            continue
        layers[name] = layer
    return block, layers


def _chains(block: Block) -> Iterator[tuple[Turn, ...]]:
    """The longest sequences of turns that follow each other."""
    reader = TurnReader(block)
    turns = {turn.states[0]: turn for made in block.operations if (turn := reader.turn(made))}
    before = ((turn, turns.get(str(turn.before[0]))) for turn in turns.values())
    next_of = {one.states[0]: turn for turn, one in before if one is not None and _follows(turn, one)}
    later = {turn.states[0] for turn in next_of.values()}
    for turn in turns.values():
        if turn.states[0] not in later:
            chain = tuple(_from(turn, next_of))
            if len(chain) >= _FEWEST:
                yield chain


def _from(turn: Turn | None, next_of: Mapping[str, Turn]) -> Iterator[Turn]:
    while turn is not None:
        yield turn
        turn = next_of.get(turn.states[0])


def _follows(turn: Turn, before: Turn) -> bool:
    """Whether the turn continues from the other's states, at the next row, with the same constants."""
    if turn.before != before.states or (turn.cell, turn.dtype) != (before.cell, before.dtype):
        return False
    if turn.row != InputRow(before.row.products, before.row.position + 1) or isinstance(turn.of_state, tuple):
        return False
    return _starts_at_zero(before, turn.of_state) or (
        isinstance(before.of_state, StateProduct) and _same(turn.of_state, before.of_state)
    )


def _same(one: StateProduct, other: StateProduct) -> bool:
    """Whether the states' terms are equal, although the converter writes zero biases again for each turn."""
    if (one.weight, one.turned, one.rounds) != (other.weight, other.turned, other.rounds):
        return False
    if one.bias is None or other.bias is None:
        return one.bias is other.bias
    return np.array_equal(one.bias.array, other.bias.array)


def _starts_at_zero(turn: Turn, of_state: StateProduct) -> bool:
    """Whether it is the first turn, with constants for a zero state: only the bias of the product."""
    folded = turn.of_state
    if isinstance(folded, StateProduct):
        return False
    zeros = all(isinstance(state, Constant) and not state.array.any() for state in turn.before if state)
    bias = 0 if of_state.bias is None else of_state.bias.array
    try:
        added = np.concatenate([constant.array for constant in folded], -1)
        return zeros and np.array_equal(added, np.broadcast_to(bias, added.shape))
    except ValueError:  # their shapes do not fit
        return False


class _Grouping:
    """One chain of turns, and its operations in the block."""

    def __init__(self, block: Block, chain: Sequence[Turn], mode: Mode) -> None:
        self._block = block
        self._chain = chain
        self._wide = storage(chain[0].dtype, mode) is torch.float32
        self._wiring = Wiring(block, {})
        self._values = {value.name: value for made in block.operations for value in made.outputs}
        self._values |= {value.name: value for value in block.inputs}
        self._rows = {turn.states[0]: row for row, turn in enumerate(chain, 1)}
        start = chain[0].before[0]
        if isinstance(start, str):
            self._rows[start] = 0

    def grouped(self) -> tuple[Block, str, UnrolledLayer]:
        """The block with the chain as one operation, its name, and the layer."""
        members = self._members()
        sequences = [made for made in self._block.operations if self._is_sequence(made)]
        members |= {made.name for made in sequences}
        outputs = self._read_outside(members)
        inputs = self._inputs(members, outputs)
        members |= frozenset() if inputs is None else inputs.operations
        layer = self._layer(inputs, tuple(self._states(name) for name in outputs))
        inner = tuple(made for made in self._block.operations if made.name in members)
        values = tuple(self._values[name] for name in outputs)
        nested = Block((), inner, outputs)
        made = Operation(UNROLLED, outputs[0], {}, {}, values, (nested,))
        return _placed(self._block, members, made), made.name, layer

    def _inputs(self, members: set[str], outputs: tuple[str, ...]) -> InputProduct | None:
        """The computation of the rows, if a kernel takes inputs itself and nothing else reads the rows."""
        if not self._wide or self._chain[0].cell != "lstm":
            return None
        found = input_product(self._chain[0].row.products, self._wiring)
        alone = found is not None and self._read_outside(members | found.operations) == outputs
        return found if alone else None

    def _members(self) -> set[str]:
        """The operations from the rows and the initial states to the last state."""
        first, last = self._chain[0], self._chain[-1]
        ends = {first.row.products, *(state for state in first.before if isinstance(state, str))}
        found: set[str] = set()
        left = list(last.states)
        while left:
            made = self._wiring.maker(left.pop())
            if made is None or made.type == "const" or made.name in found:
                continue
            found.add(made.name)
            left += [name for name in made.reads() if name not in ends]
        return found

    def _is_sequence(self, made: Operation) -> bool:
        """Whether it joins the states of turns in order."""
        values = made.inputs.get("values", ()) if made.type == "concat" else ()
        if not values or not all(name in self._rows for name in values):
            return False
        rows = [self._rows[str(name)] for name in values]
        step = 1 if rows[-1] >= rows[0] else -1
        kept = self._wiring.values(argument(made, "interleave")) == [False]
        ordered = rows == list(range(rows[0], rows[-1] + step, step))
        return kept and ordered and self._wiring.values(argument(made, "axis")) == [0]

    def _read_outside(self, members: set[str]) -> tuple[str, ...]:
        """The values of members that other operations read or the block returns."""
        inner = [made for made in self._block.operations if made.name in members]
        outer = (made for made in self._block.operations if made.name not in members)
        read = {name for made in outer for name in _reads(made)} | set(self._block.outputs)
        return tuple(value.name for made in inner for value in made.outputs if value.name in read)

    def _states(self, name: str) -> States:
        """The states of the layer that a value contains."""
        made, turns = self._wiring.makers[name], len(self._chain)
        if name == self._chain[-1].states[-1] != self._chain[-1].states[0]:
            return States(cell=True, first=turns, stop=turns + 1)
        demand(name in self._rows or self._is_sequence(made))
        names = (name,) if name in self._rows else made.inputs["values"]
        rows = [self._rows[str(each)] for each in names]
        return States(cell=False, first=min(rows), stop=max(rows) + 1, backwards=rows[0] > rows[-1])

    def _layer(self, inputs: InputProduct | None, results: tuple[States, ...]) -> UnrolledLayer:
        first, of_state = self._chain[0], self._chain[-1].of_state
        if not isinstance(of_state, StateProduct):
            raise OtherFormError
        _, batch, width = self._sizes(first.row.products)
        hidden = width // GATES[first.cell]
        wanted = [hidden, width]
        demand(list(of_state.weight.array.shape) == (wanted[::-1] if of_state.turned else wanted))
        demand(of_state.bias is None or of_state.bias.array.shape == (width,))
        demand(inputs is None or len(inputs.weight) == width)
        for state in {name for turn in self._chain for name in turn.states}:
            demand(self._sizes(state) == (1, batch, hidden))
        return UnrolledLayer(
            cell=first.cell,
            dtype=first.dtype,
            products=first.row.products,
            inputs=inputs,
            first=first.row.position,
            turns=len(self._chain),
            starts=tuple(state if isinstance(state, str) else None for state in first.before),
            of_state=of_state,
            batch=batch,
            hidden=hidden,
            results=results,
        )

    def _sizes(self, name: str) -> tuple[int, ...]:
        """The fully known shape of a value of rank 3."""
        kind = self._values[name].type if name in self._values else None
        sizes = tuple(size or 0 for size in kind.shape) if isinstance(kind, TensorType) else ()
        demand(len(sizes) == _RANK and all(sizes))
        return sizes


def _reads(made: Operation) -> frozenset[str]:
    """All names that an operation reads, itself or in its blocks."""
    return frozenset(made.reads()) | captured(made)


def _placed(block: Block, members: set[str], layer: Operation) -> Block:
    """The block with the layer in place of its last member, followed by the layer's readers.

    Operations that read or write a state keep their order.
    """
    states = {value.name for value in block.inputs if isinstance(value.type, StateType)}
    last = max(place for place, made in enumerate(block.operations) if made.name in members)
    given = {value.name for value in layer.outputs}
    before: list[Operation] = []
    behind: list[Operation] = []
    for place, made in enumerate(block.operations):
        if made.name in members:
            continue
        late = place > last or not given.isdisjoint(_reads(made))
        (behind if late else before).append(made)
        given |= {value.name for value in made.outputs} | (_reads(made) & states) if late else set()
    demand(not captured(layer) & {value.name for made in behind for value in made.outputs})
    return replace(block, operations=(*before, layer, *behind))
