"""Recognises a ``while_loop`` that is torch's GRU layer, which coremltools writes as some thirty operations.

The loop counts from zero. Each turn gathers the input and the state at the counter, computes the cell

    r = sigmoid(linear(x) + linear(h))      z = sigmoid(linear(x) + linear(h))
    n = tanh(linear(x) + r * linear(h))     h' = (1 - z) * n + z * h

and adds ``h'`` to the next row (``_add_gru_layer`` in coremltools' torch frontend). Only this form is
recognised, with the casts that float16 adds to it. Any other loop runs as written.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from coreml_gate.mil.ir import Argument, Constant, Operation
from coreml_gate.runtime.arguments import Known
from coreml_gate.runtime.pattern import OtherFormError, Wiring, argument, constants, demand, dtype

LONGEST = 2**15 - 1
"""The program casts the counter to 16 bits, so a longer loop would continue from -32768."""

_PAIR = 2  # condition and body; counter and states
_COUNTER_CASTS = ("int16", "uint16", "int32")


@dataclass(frozen=True, slots=True)
class Gate:
    """The constants of one gate: two linear layers, for the input and for the state."""

    x_weight: Constant
    x_bias: Constant
    h_weight: Constant
    h_bias: Constant


@dataclass(frozen=True, slots=True)
class GruLoop:
    """The layer that the loop computes; ``limit`` is the number of turns, or the name of its value."""

    sequence: str
    limit: str | int
    dtype: str
    gates: tuple[Gate, Gate, Gate]
    """Reset, update, new: the two sigmoid gates are adjacent."""


def gru_loop(loop: Operation, known: Mapping[str, Known]) -> GruLoop | None:
    """The layer that a ``while_loop`` computes; ``None`` for any other loop.

    :param known: The constants of the blocks around the loop.
    """
    try:
        return _Reader(loop, known).loop()
    except OtherFormError:
        return None


class _Reader:
    """Reads the loop backwards, from the results of its body to its inputs."""

    def __init__(self, loop: Operation, known: Mapping[str, Known]) -> None:
        demand(
            loop.type == "while_loop" and len(loop.blocks) == len(loop.inputs.get("loop_vars", ())) == _PAIR
        )
        demand(all(len(block.inputs) == _PAIR for block in loop.blocks))
        demand(len(loop.blocks[1].outputs) == _PAIR)
        self._start = loop.inputs["loop_vars"][0]
        self._condition, self._body = loop.blocks
        self._counter, self._states = (value.name for value in self._body.inputs)
        self._wiring = Wiring(self._body, {**known, **constants(self._condition)})
        self._dtype = ""

    def loop(self) -> GruLoop:
        next_counter, next_states = self._body.outputs
        demand(self._wiring.values(self._start) == [0])
        step = self._wiring.made(next_counter, "add")
        demand(argument(step, "x") == self._counter)
        demand(self._wiring.values(argument(step, "y")) == [1])
        state, rows = self._written(next_states, next_counter)
        sequence, gates = self._cell(state, rows)
        return GruLoop(sequence, self._limit(), self._dtype, gates)

    def _limit(self) -> str | int:
        made = [operation for operation in self._condition.operations if operation.type != "const"]
        demand(len(made) == 1 and made[0].type == "less" and self._condition.outputs == (made[0].name,))
        counter, states = (value.name for value in self._condition.inputs)
        limit = argument(made[0], "y")
        demand(argument(made[0], "x") == counter and limit not in {counter, states})
        if isinstance(limit, str) and limit not in self._wiring.known:
            return limit
        values = self._wiring.values(limit)
        demand(len(values) == 1 and isinstance(values[0], int))
        return int(values[0])

    def _written(self, name: str, place: str) -> tuple[Argument, Argument]:
        """The new state, and the rows to which it is added at ``place``: the states, or a cast of them."""
        made = self._wiring.maker(name)
        scatter = self._wiring.made(argument(made, "x") if made and made.type == "cast" else name, "scatter")
        demand(argument(scatter, "indices") == place)
        self._wiring.demand_values(scatter, {"axis": [0], "mode": ["add"], "validate_indices": [False]})
        self._dtype = dtype(scatter)
        expand = self._computed(argument(scatter, "updates"), "expand_dims")
        self._wiring.demand_values(expand, {"axes": [0]})
        rows = argument(scatter, "data")
        if rows != self._states:
            demand(argument(self._computed(rows, "cast"), "x") == self._states)
        return argument(expand, "x"), rows

    def _cell(self, state: Argument, rows: Argument) -> tuple[str, tuple[Gate, Gate, Gate]]:
        fresh, kept = self._operands(state, "add")
        one_less, new = self._operands(fresh, "mul")
        one, update = self._operands(one_less, "sub")
        demand(self._wiring.values(one) == [1])
        again, h = self._operands(kept, "mul")
        demand(again == update and self._row(h) == rows)
        of_x, reset_of_h = self._operands(self._only(new, "tanh"), "add")
        reset, of_h = self._operands(reset_of_h, "mul")
        pairs = (
            self._operands(self._only(reset, "sigmoid"), "add"),
            self._operands(self._only(update, "sigmoid"), "add"),
            (of_x, of_h),
        )
        inputs = {argument(self._computed(of_x, "linear"), "x") for of_x, _ in pairs}
        states = {argument(self._computed(of_h, "linear"), "x") for _, of_h in pairs}
        demand(states == {h} and len(inputs) == 1)
        sequence = self._row(inputs.pop())
        demand(
            isinstance(sequence, str)
            and sequence not in {*self._wiring.makers, *self._wiring.known, self._states}
        )
        reset_gate, update_gate, new_gate = (Gate(*self._linear(x), *self._linear(h)) for x, h in pairs)
        demand(len({_shapes(gate) for gate in (reset_gate, update_gate, new_gate)}) == 1)
        return str(sequence), (reset_gate, update_gate, new_gate)

    def _row(self, name: Argument) -> Argument:
        """The value of which this is the row at the counter."""
        squeeze = self._computed(name, "squeeze")
        self._wiring.demand_values(squeeze, {"axes": [0]})
        gather = self._computed(argument(squeeze, "x"), "gather")
        self._wiring.demand_values(gather, {"axis": [0], "batch_dims": [0], "validate_indices": [False]})
        demand(self._is_counter(argument(gather, "indices")))
        return argument(gather, "x")

    def _is_counter(self, name: Argument) -> bool:
        """Whether it is the counter, possibly cast or adjusted for negative values, which never occur."""
        if name == self._counter:
            return True
        made = self._wiring.maker(name)
        if made is not None and made.type == "cast":
            return dtype(made) in _COUNTER_CASTS and self._is_counter(argument(made, "x"))
        if made is None or made.type != "select":
            return False
        test = self._wiring.made(argument(made, "cond"), "greater_equal")
        demand(self._wiring.values(argument(test, "y")) == [0])
        return self._is_counter(argument(test, "x")) and self._is_counter(argument(made, "a"))

    def _linear(self, name: Argument) -> tuple[Constant, Constant]:
        linear = self._computed(name, "linear")
        weight, bias = (self._wiring.known.get(str(argument(linear, part))) for part in ("weight", "bias"))
        if not isinstance(weight, Constant) or not isinstance(bias, Constant):
            raise OtherFormError
        demand(dtype(weight) == dtype(bias) == self._dtype)
        return weight, bias

    def _operands(self, name: Argument, kind: str) -> tuple[Argument, Argument]:
        made = self._computed(name, kind)
        return argument(made, "x"), argument(made, "y")

    def _only(self, name: Argument, kind: str) -> Argument:
        return argument(self._computed(name, kind), "x")

    def _computed(self, name: Argument, kind: str) -> Operation:
        """The cell's operation that gives ``name``; all of them compute in one element type."""
        made = self._wiring.made(name, kind)
        demand(dtype(made) == self._dtype)
        return made


def _shapes(gate: Gate) -> tuple[tuple[int, ...], ...]:
    """The shapes of all constants, if they fit together."""
    x_weight, x_bias, h_weight, h_bias = (
        each.array.shape for each in (gate.x_weight, gate.x_bias, gate.h_weight, gate.h_bias)
    )
    demand(len(x_weight) == len(h_weight) == _PAIR and x_bias == h_bias == h_weight[:1] == h_weight[1:])
    demand(x_weight[:1] == x_bias)
    return x_weight, h_weight
