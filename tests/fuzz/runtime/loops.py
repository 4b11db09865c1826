"""GRU layers as coremltools writes torch's: a loop over rows, with one thing or another that differs."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np

from coreml_gate.mil.ir import Block, Constant, Operation, TensorType, Value
from tests.fuzz.runtime.net import Case, Net, given
from tests.runtime.conftest import constant

TOLERANCE: Final = {"fp32": 1e-4, "fp16": 8e-3}
ODDITIES: Final = (
    "none", "none", "none", "none", "none",
    "a number near 1", "another number near 1", "another update", "another gate", "another activation",
    "reset first", "replaced", "added twice", "a row less", "the first row", "the first state",
    "the last state", "another state", "a row behind", "from one on", "by two", "up to and with",
    "a sequence too short", "rows that are not empty", "a value changed", "no bias of the state",
    "states of the caller's", "a state kept",
)  # fmt: skip


def loop_case(rng: np.random.Generator) -> Case:
    """One loop; its length may be the caller's."""
    net = Net(rng, str(rng.choice(["fp32", "fp16"])))
    oddity = str(rng.choice(ODDITIES))
    length, batch = int(rng.integers(1, 7)), int(rng.choice([1, 1, 2, 3]))
    hidden, features = int(rng.choice([1, 2, 4, 9])), int(rng.choice([1, 4, 5]))
    short = oddity == "a sequence too short"
    sequence = net.input((length - 1 if short else length, batch, features))
    states = _rows(net, (length + 1, batch, hidden), oddity)
    limit: str | Constant = constant(np.array([length], np.int32))
    if rng.random() < 0.3:
        limit = net.op("minimum", x=_count(net, sequence), y=np.array([length], np.int32), dtype="int32")
    loop = _Loop(net, sequence, (batch, hidden, features), oddity)
    count, rows = loop.made(states, limit)
    outputs = [rows] if rng.random() < 0.6 else [rows, count]
    outputs.append(net.op("slice_by_index", x=rows, begin=[1, 0, 0], end=[length + 1, batch, hidden]))
    return Case(
        net.function(outputs),
        given(net, 3, float(rng.choice([0.3, 1, 5]))),
        TOLERANCE[net.dtype],
        near_in_half=True,
    )


def _count(net: Net, sequence: str) -> str:
    shape = net.op("shape", x=sequence, dtype="int32")
    return net.op("slice_by_index", x=shape, begin=[0], end=[1], dtype="int32")


def _rows(net: Net, shape: tuple[int, int, int], oddity: str) -> str:
    """The initial state, and empty rows behind it."""
    if oddity == "states of the caller's":
        return net.input(shape)
    behind = net.drawn((shape[0] - 1, *shape[1:])) if oddity == "rows that are not empty" else 0
    if net.rng.random() < 0.4:
        rows = np.zeros(shape)
        rows[1:] = behind
        return net.const(rows)
    first = net.input((1, *shape[1:]))
    rest = np.zeros((shape[0] - 1, *shape[1:])) + behind
    return net.op("concat", values=(first, net.number(rest)), axis=0, interleave=False)


class _Loop:
    def __init__(self, net: Net, sequence: str, sizes: tuple[int, int, int], oddity: str) -> None:
        self.net = net
        self.sequence = sequence
        self.batch, self.hidden, self.features = sizes
        self.oddity = oddity

    def made(self, states: str, limit: str | Constant) -> tuple[str, str]:
        """The loop's results: counter and rows."""
        net = self.net
        counter = Value("counter", TensorType("int32", (1,)))
        rows = Value("rows", TensorType(net.dtype, net.shape(states)))
        kind = "less_equal" if self.oddity == "up to and with" else "less"
        go = Value("go", TensorType("bool", (1,)))
        test = Operation(kind, "go", {"x": ("counter",), "y": (limit,)}, {}, (go,))
        until = Block((counter, rows), (test,), ("go",))
        start = constant(np.array([1 if self.oddity == "from one on" else 0], np.int32))
        results = tuple(replace(value, name=f"{value.name}_after") for value in (counter, rows))
        loop = Operation(
            "while_loop", results[0].name, {"loop_vars": (start, states)}, {}, results,
            (until, self._body((counter, rows), states)),
        )  # fmt: skip
        net.operations.append(loop)
        net.held["rows_after"] = net.held[states].clone()
        net.held["counter_after"] = net.held_number(0)
        return "counter_after", "rows_after"

    def _body(self, inputs: tuple[Value, Value], states: str) -> Block:
        """One turn, in a net of its own that sees the values around it."""
        inner = Net(self.net.rng, self.net.dtype, prefix="b")
        inner.held = {
            **self.net.held,
            "counter": self.net.held_number(0),
            "rows": self.net.held[states].clone(),
        }
        x, h = self._row(inner, self.sequence, self.features), self._row(inner, "rows", self.hidden)
        state = self._cell(inner, x, h)
        step = 2 if self.oddity == "by two" else 1
        count = inner.op("add", x="counter", y=np.array(step, np.int32), dtype="int32")
        place = "counter" if self.oddity == "a row behind" else count
        row = inner.op("expand_dims", x=state, axes=[0])
        mode = "update" if self.oddity == "replaced" else "add"
        written: dict[str, Any] = {
            "indices": place,
            "updates": row,
            "axis": 0,
            "mode": mode,
            "validate_indices": False,
        }
        rows = inner.op("scatter", data="rows", **written)
        if self.oddity == "added twice":
            rows = inner.op("scatter", data=rows, **written)
        if self.oddity == "a state kept":
            rows = inner.op("mul", x=rows, y=inner.number(1))
        return Block(inputs, tuple(inner.operations), (count, rows))

    def _row(self, inner: Net, rows: str, width: int) -> str:
        """A row at the counter."""
        place: str | Constant = "counter"
        states = rows == "rows"
        if self.oddity == ("the first state" if states else "the first row"):
            place = constant(np.array([0], np.int32))
        if self.oddity == "a row less" and not states:
            less = inner.op("sub", x="counter", y=np.array(1, np.int32), dtype="int32")
            place = inner.op("maximum", x=less, y=np.array(0, np.int32), dtype="int32")
        if self.oddity == "the last state" and states:
            place = constant(np.array([-1], np.int32))
        how: dict[str, Any] = {"axis": 0, "batch_dims": 0, "validate_indices": False}
        row = inner.op("gather", x=rows, indices=place, **how)
        return inner.op("squeeze", x=row, axes=[0])

    def _cell(self, inner: Net, x: str, h: str) -> str:
        one, other = (
            1 + 1e-3 if self.oddity == f"{which} near 1" else 1 for which in ("a number", "another number")
        )
        reset, update = (self._gate(inner, x, h, gate) for gate in (0, 1))
        of_x = self._linear(inner, x, self.features)
        if self.oddity == "reset first":
            gated = self._linear(inner, inner.op("mul", x=reset, y=h), self.hidden)
        else:
            gated = inner.op("mul", x=reset, y=self._linear(inner, h, self.hidden))
        total = inner.op("add", x=of_x, y=gated)
        new = inner.op("relu" if self.oddity == "another activation" else "tanh", x=total)
        rest = inner.op("sub", x=inner.number(one), y=update)
        again = reset if self.oddity == "another update" else update
        kept = h if self.oddity != "another state" else inner.op("relu", x=h)
        if other != 1:
            kept = inner.op("mul", x=kept, y=inner.number(other))
        return inner.op("add", x=inner.op("mul", x=rest, y=new), y=inner.op("mul", x=again, y=kept))

    def _gate(self, inner: Net, x: str, h: str, place: int) -> str:
        of_x, of_h = self._linear(inner, x, self.features), self._linear(inner, h, self.hidden)
        total = inner.op("add", x=of_x, y=of_h)
        if self.oddity == "another gate" and place == 1:
            return inner.op("sigmoid_hard", x=total, alpha=inner.number(0.2), beta=inner.number(0.5))
        if self.oddity == "a value changed":
            total = inner.op("mul", x=total, y=inner.number(1.01))
        return inner.op("sigmoid", x=total)

    def _linear(self, inner: Net, x: str, width: int) -> str:
        weight = inner.const(inner.drawn((self.hidden, width), 1 / math.sqrt(width)))
        if self.oddity == "no bias of the state" and width == self.hidden:
            return inner.op("matmul", x=x, y=weight, transpose_x=False, transpose_y=True)
        return inner.op("linear", x=x, weight=weight, bias=inner.const(inner.drawn((self.hidden,))))
