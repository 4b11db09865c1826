"""Is a ``while_loop`` a GRU layer? coremltools writes torch's GRU as a loop of some thirty small operations.

The loop counts from zero. Each turn gathers the input and the state at the counter, computes the cell

    r = sigmoid(linear(x) + linear(h))      z = sigmoid(linear(x) + linear(h))
    n = tanh(linear(x) + r * linear(h))     h' = (1 - z) * n + z * h

and adds ``h'`` to the row behind (``_add_gru_layer`` in coremltools' torch front end). This form alone is
recognised, with the casts that float16 puts around it. Whatever differs stays as the program says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coreml_gate.mil.ir import Argument, Block, Constant, Operation, TensorType
from coreml_gate.runtime.arguments import Known

LONGEST = 2**15 - 1
"""The program casts the counter to 16 bits; a longer loop would count on from -32768."""

_COUNTER_CASTS = ("int16", "uint16", "int32")


@dataclass(frozen=True, slots=True)
class Gate:
    """The constants of one gate: two linear layers, of the input and of the state."""

    x_weight: Constant
    x_bias: Constant
    h_weight: Constant
    h_bias: Constant


@dataclass(frozen=True, slots=True)
class GruLoop:
    """What the loop computes; ``limit`` is the number of turns, or the name of the value that holds it."""

    sequence: str
    limit: str | int
    dtype: str
    gates: tuple[Gate, Gate, Gate]
    """Reset, update, new: the two that a sigmoid follows stand together."""


def gru_loop(loop: Operation, known: Mapping[str, Known]) -> GruLoop | None:
    """The layer that a ``while_loop`` computes; ``None`` for any other loop.

    :param known: The constants of the blocks around the loop.
    """
    try:
        return _Reader(loop, known).loop()
    except _OtherFormError:
        return None


class _OtherFormError(Exception):
    """The loop has another form than a GRU layer's."""


def _demand(condition: bool) -> None:  # noqa: FBT001  # reads as a sentence
    if not condition:
        raise _OtherFormError


class _Reader:
    """Reads the loop backwards, from what the body gives to what it takes."""

    def __init__(self, loop: Operation, known: Mapping[str, Known]) -> None:
        _demand(loop.type == "while_loop" and all(len(block.inputs) == 2 for block in loop.blocks))  # noqa: PLR2004  # counter and states
        self._start = loop.inputs["loop_vars"][0]
        self._condition, self._body = loop.blocks
        self._counter, self._states = (value.name for value in self._body.inputs)
        self._known = {**known, **_constants(self._condition), **_constants(self._body)}
        self._makers = {value.name: made for made in self._body.operations for value in made.outputs}
        self._dtype = ""

    def loop(self) -> GruLoop:
        next_counter, next_states = self._body.outputs
        self._demand_values(self._start, [0])
        step = self._made(next_counter, "add")
        _demand(_argument(step, "x") == self._counter)
        self._demand_values(_argument(step, "y"), [1])
        state, rows = self._written(next_states, next_counter)
        sequence, gates = self._cell(state, rows)
        return GruLoop(sequence, self._limit(), self._dtype, gates)

    def _limit(self) -> str | int:
        made = [operation for operation in self._condition.operations if operation.type != "const"]
        _demand(len(made) == 1 and made[0].type == "less" and self._condition.outputs == (made[0].name,))
        counter, states = (value.name for value in self._condition.inputs)
        limit = _argument(made[0], "y")
        _demand(_argument(made[0], "x") == counter and limit not in {counter, states})
        if isinstance(limit, str) and limit not in self._known:
            return limit
        values = self._values(limit)
        _demand(len(values) == 1)
        return int(values[0])

    def _written(self, name: str, place: str) -> tuple[Argument, Argument]:
        """The new state, and the rows that it is added to at ``place``: the states, or a cast of them."""
        made = self._makers.get(name)
        scatter = self._made(_argument(made, "x") if made and made.type == "cast" else name, "scatter")
        _demand(_argument(scatter, "indices") == place)
        self._demand_parameters(scatter, {"axis": [0], "mode": ["add"], "validate_indices": [False]})
        self._dtype = _dtype(scatter)
        expand = self._computed(_argument(scatter, "updates"), "expand_dims")
        self._demand_parameters(expand, {"axes": [0]})
        rows = _argument(scatter, "data")
        if rows != self._states:
            _demand(_argument(self._computed(rows, "cast"), "x") == self._states)
        return _argument(expand, "x"), rows

    def _cell(self, state: Argument, rows: Argument) -> tuple[str, tuple[Gate, Gate, Gate]]:
        fresh, kept = self._operands(state, "add")
        one_less, new = self._operands(fresh, "mul")
        one, update = self._operands(one_less, "sub")
        self._demand_values(one, [1])
        again, h = self._operands(kept, "mul")
        _demand(again == update and self._row(h) == rows)
        of_x, reset_of_h = self._operands(self._only(new, "tanh"), "add")
        reset, of_h = self._operands(reset_of_h, "mul")
        pairs = (
            self._operands(self._only(reset, "sigmoid"), "add"),
            self._operands(self._only(update, "sigmoid"), "add"),
            (of_x, of_h),
        )
        inputs = {_argument(self._computed(of_x, "linear"), "x") for of_x, _ in pairs}
        states = {_argument(self._computed(of_h, "linear"), "x") for _, of_h in pairs}
        _demand(states == {h} and len(inputs) == 1)
        sequence = self._row(inputs.pop())
        _demand(isinstance(sequence, str) and sequence not in {*self._makers, *self._known, self._states})
        reset_gate, update_gate, new_gate = (Gate(*self._linear(x), *self._linear(h)) for x, h in pairs)
        return str(sequence), (reset_gate, update_gate, new_gate)

    def _row(self, name: Argument) -> Argument:
        """What it is the row of, at the counter."""
        squeeze = self._computed(name, "squeeze")
        self._demand_parameters(squeeze, {"axes": [0]})
        gather = self._computed(_argument(squeeze, "x"), "gather")
        self._demand_parameters(gather, {"axis": [0], "batch_dims": [0], "validate_indices": [False]})
        _demand(self._is_counter(_argument(gather, "indices")))
        return _argument(gather, "x")

    def _is_counter(self, name: Argument) -> bool:
        """The counter itself, cast, or counted from the end where it is negative: it never is."""
        if name == self._counter:
            return True
        made = self._makers.get(name) if isinstance(name, str) else None
        if made is not None and made.type == "cast":
            return _dtype(made) in _COUNTER_CASTS and self._is_counter(_argument(made, "x"))
        if made is None or made.type != "select":
            return False
        test = self._made(_argument(made, "cond"), "greater_equal")
        self._demand_values(_argument(test, "y"), [0])
        return self._is_counter(_argument(test, "x")) and self._is_counter(_argument(made, "a"))

    def _linear(self, name: Argument) -> tuple[Constant, Constant]:
        linear = self._computed(name, "linear")
        weight, bias = (self._known.get(str(_argument(linear, part))) for part in ("weight", "bias"))
        if not isinstance(weight, Constant) or not isinstance(bias, Constant):
            raise _OtherFormError
        _demand(_dtype(weight) == _dtype(bias) == self._dtype)
        return weight, bias

    def _operands(self, name: Argument, kind: str) -> tuple[Argument, Argument]:
        made = self._computed(name, kind)
        return _argument(made, "x"), _argument(made, "y")

    def _only(self, name: Argument, kind: str) -> Argument:
        return _argument(self._computed(name, kind), "x")

    def _computed(self, name: Argument, kind: str) -> Operation:
        """The operation of the cell that gives ``name``: all of them compute in one element type."""
        made = self._made(name, kind)
        _demand(_dtype(made) == self._dtype)
        return made

    def _made(self, name: Argument, kind: str) -> Operation:
        made = self._makers.get(name) if isinstance(name, str) else None
        if made is None or made.type != kind:
            raise _OtherFormError
        return made

    def _demand_parameters(self, operation: Operation, wanted: Mapping[str, list[Any]]) -> None:
        """All are given: what is left out has a default, but coremltools leaves none of these out."""
        for parameter, values in wanted.items():
            self._demand_values(_argument(operation, parameter), values)

    def _demand_values(self, argument: Argument, wanted: list[Any]) -> None:
        _demand(self._values(argument) == wanted)

    def _values(self, argument: Argument) -> list[Any]:
        known = self._known.get(argument) if isinstance(argument, str) else argument
        if not isinstance(known, Constant):
            raise _OtherFormError
        return list(known.array.reshape(-1).tolist())


def _constants(block: Block) -> dict[str, Known]:
    return {
        operation.name: operation.attributes["val"]
        for operation in block.operations
        if operation.type == "const" and "val" in operation.attributes
    }


def _argument(operation: Operation, parameter: str) -> Argument:
    given = operation.inputs.get(parameter, ())
    if len(given) != 1:
        raise _OtherFormError
    return given[0]


def _dtype(value: Operation | Constant) -> str:
    kind = value.type if isinstance(value, Constant) else value.outputs[0].type
    return kind.dtype if isinstance(kind, TensorType) else ""
