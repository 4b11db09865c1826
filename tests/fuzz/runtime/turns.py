"""Recurrent layers written out turn by turn as coremltools does it, with some thing that differs."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from coreml_gate.mil.ir import Constant
from coreml_gate.runtime.recurrent.unrolled_turns import GATES, Cell
from tests.fuzz.runtime.net import Case, Net, given

TOLERANCE: Final = 1e-4
CELLS: Final[tuple[Cell, ...]] = ("gru", "lstm", "relu", "tanh")


@dataclass(slots=True)
class Layer:
    """What the turns of one layer share, and what happens at one of them."""

    net: Net
    cell: Cell
    batch: int
    hidden: int
    products: str
    weight: Constant
    bias: Constant | None
    form: str
    odd_turn: int
    oddity: str
    folds: bool = False
    """What zeros add is constant, as the converter leaves it."""
    states: list[tuple[str, ...]] = field(default_factory=list)

    def odd(self, turn: int, oddity: str) -> bool:
        return self.oddity == oddity and turn == self.odd_turn

    def both(self, kind: str, x: str, y: str) -> str:
        """The operands in either order."""
        pair = (x, y) if self.net.rng.random() < 0.7 else (y, x)
        return self.net.op(kind, x=pair[0], y=pair[1])


ODDITIES: Final = (
    "none", "none", "none", "none",
    "another weight", "an equal weight", "another bias", "an equal bias", "no bias",
    "gates in another order", "gates in another order at a turn", "gates that interleave",
    "another state", "another cell state", "the first row again", "a row less", "rows backwards",
    "another activation", "a sharper activation", "another gate", "a captured state",
    "a state given out", "a state read in between", "a cell state given out", "an inner value given out",
    "a state changed in between", "another row for one gate", "rows from elsewhere at a turn",
    "the new state less the old", "a state of the program",
)  # fmt: skip


def unrolled_case(rng: np.random.Generator) -> Case:
    """One layer, or two that interleave or share their weights."""
    net = Net(rng, str(rng.choice(["fp32", "fp16"])))
    cell = CELLS[int(rng.integers(len(CELLS)))]
    length, batch = int(rng.integers(2, 6)), int(rng.choice([1, 1, 2, 3]))
    hidden, features = int(rng.choice([1, 2, 4, 8])), int(rng.choice([1, 4, 5]))
    x = net.input((length, batch, features))
    twice = rng.random() < 0.2
    first = _layer(net, cell, (batch, hidden, features), x, length)
    layers = [first]
    if twice:
        layers.append(_layer(net, cell, (batch, hidden, features), x, length))
        if rng.random() < 0.5:
            layers[1].weight, layers[1].bias, layers[1].form = first.weight, first.bias, first.form
    outputs = _run(layers, length)
    return Case(net.function(outputs), given(net, 3, float(rng.choice([0.3, 1, 1, 5]))), TOLERANCE)


def _layer(net: Net, cell: Cell, sizes: tuple[int, int, int], x: str, length: int) -> Layer:
    rng, (batch, hidden, features) = net.rng, sizes
    width = GATES[cell] * hidden
    form = str(rng.choice(["matmul", "turned", "linear"]))
    size = (hidden, width) if form == "matmul" else (width, hidden)
    biased = form == "linear" or rng.random() < 0.7
    return Layer(
        net,
        cell,
        batch,
        hidden,
        _products(net, x, (batch, features, width)),
        net.number(net.drawn(size, 1 / math.sqrt(hidden))),
        net.number(net.drawn((width,))) if biased else None,
        form,
        int(rng.integers(0, length)),
        str(rng.choice(ODDITIES)),
    )


def _products(net: Net, x: str, sizes: tuple[int, int, int]) -> str:
    """What the inputs of all turns add, as one product of several forms."""
    rng, (batch, features, width) = net.rng, sizes
    weight = net.drawn((features, width), 1 / math.sqrt(features))
    form = str(rng.choice(["linear", "matmul", "biased", "repeated", "rows"]))
    if form == "linear":
        made = net.op("linear", x=x, weight=net.number(weight.T.copy()), bias=net.number(net.drawn((width,))))
    elif form == "rows":
        rows = net.op("reshape", x=x, shape=[-1, features])
        made = net.op(
            "linear", x=rows, weight=net.number(weight.T.copy()), bias=net.number(net.drawn((width,)))
        )
        made = net.op("reshape", x=made, shape=[-1, batch, width])
    else:
        length = net.shape(x)[0]
        matrix = np.repeat(weight[None], length, 0) if form == "repeated" else weight
        made = net.op("matmul", x=x, y=net.number(matrix), transpose_x=False, transpose_y=False)
        if form == "biased":
            made = net.op("add", x=made, y=net.number(net.drawn((width,))))
    return net.op("reverse", x=made, axes=[0]) if rng.random() < 0.25 else made


def _run(layers: list[Layer], length: int) -> list[str]:
    """All turns, those of two layers one by one in turn; what is read of them."""
    net = layers[0].net
    outputs: list[str] = []
    for layer in layers:
        layer.states.append(_start(layer))
    for turn in range(length):
        for layer in layers:
            layer.states.append(_turn(layer, turn, outputs))
    for layer in layers:
        outputs += _results(layer)
        if net.rng.random() < 0.15:
            outputs.append(layer.products)
    return list(dict.fromkeys(outputs))


def _start(layer: Layer) -> tuple[str, ...]:
    """States of the caller's, computed ones, zeros, or numbers."""
    net, rng = layer.net, layer.net.rng
    count = 2 if layer.cell == "lstm" else 1
    kind = str(rng.choice(["given", "computed", "constant", "zeros"]))
    shape = (1, layer.batch, layer.hidden)
    if kind in {"constant", "zeros"}:
        layer.folds = kind == "zeros" and rng.random() < 0.7
        values = [net.drawn(shape) if kind == "constant" else np.zeros(shape) for _ in range(count)]
        named = rng.random() < 0.7
        return tuple(
            net.const(value) if named else net.op("identity", x=net.number(value)) for value in values
        )
    names = tuple(net.input(shape) for _ in range(count))
    return tuple(net.op("tanh", x=name) for name in names) if kind == "computed" else names


def _turn(layer: Layer, turn: int, outputs: list[str]) -> tuple[str, ...]:
    net, before = layer.net, layer.states[-1]
    if layer.odd(turn, "another state") and len(layer.states) > 1:
        before = (layer.states[-2][0], *before[1:])
    if layer.odd(turn, "another cell state") and len(layer.states) > 1:
        before = (before[0], *layer.states[-2][1:])
    if layer.odd(turn, "a state changed in between"):
        before = (net.op("mul", x=before[0], y=net.number(1.001)), *before[1:])
    row = _row(layer, turn)
    of_state = _of_state(layer, turn, before[0])
    if layer.odd(turn, "an inner value given out"):
        outputs.append(of_state)
    compute = {
        "gru": _gru,
        "lstm": _lstm,
        "relu": _rnn,
        "tanh": _rnn,
    }[layer.cell]
    states = compute(layer, turn, row, of_state, before)
    _observe(layer, turn, states, outputs)
    return states


def _observe(layer: Layer, turn: int, states: tuple[str, ...], outputs: list[str]) -> None:
    """What else reads a turn's states."""
    net = layer.net
    if layer.odd(turn, "a state given out"):
        outputs.append(states[0])
    if layer.odd(turn, "a cell state given out"):
        outputs.append(states[-1])
    if layer.odd(turn, "a state read in between"):
        outputs.append(net.op("abs", x=states[0]))
    if layer.odd(turn, "a state of the program"):
        memory = net.state(net.shape(states[0]))
        net.write(memory, states[0])
        outputs.append(net.op("read_state", input=memory))
        net.write(memory, outputs[-1])
    if layer.odd(turn, "a captured state"):
        outputs.append(net.chosen(states[0], layer.products))


def _row(layer: Layer, turn: int) -> str:
    net, position = layer.net, turn
    if layer.odd(turn, "the first row again"):
        position = 0
    if layer.odd(turn, "a row less"):
        position = max(turn - 1, 0)
    length, batch, width = net.shape(layer.products)
    if layer.oddity == "rows backwards":
        position = length - 1 - turn
    source = layer.products
    if layer.odd(turn, "rows from elsewhere at a turn"):
        source = net.op("mul", x=source, y=net.number(1.01))
    begin, end = [position, 0, 0], [position + 1, batch, width]
    cut = net.op("slice_by_index", x=source, begin=begin, end=end)
    return net.op("squeeze", x=cut, axes=[0]) if net.rng.random() < 0.5 else cut


def _of_state(layer: Layer, turn: int, state: str) -> str:
    net = layer.net
    weight, bias = layer.weight, layer.bias
    if layer.odd(turn, "another weight"):
        weight = net.number(np.flip(weight.array, -1).copy())
    if layer.odd(turn, "an equal weight"):
        weight = net.number(weight.array)
    if bias is not None and layer.odd(turn, "another bias"):
        bias = net.number(bias.array + 0.01)
    if bias is not None and layer.odd(turn, "an equal bias"):
        bias = net.number(bias.array)
    if layer.odd(turn, "no bias") and layer.form != "linear":
        bias = None
    if layer.folds and turn == 0:
        return net.const(_of_zeros(layer, bias))
    flat = net.op("reshape", x=state, shape=[layer.batch, layer.hidden])
    if layer.form == "linear":
        added = net.op("linear", x=flat, weight=weight, bias=bias)
    else:
        added = net.op("matmul", x=flat, y=weight, transpose_x=False, transpose_y=layer.form == "turned")
        if bias is not None:
            added = (
                net.op("add", x=bias, y=added) if net.rng.random() < 0.5 else net.op("add", x=added, y=bias)
            )
    shape = [1, layer.batch, net.shape(added)[-1]]
    return net.op("reshape", x=added, shape=shape) if net.rng.random() < 0.6 else added


def _of_zeros(layer: Layer, bias: Constant | None) -> Any:
    width = GATES[layer.cell] * layer.hidden
    added: Any = np.zeros(width) if bias is None else bias.array
    off: Any = 0.01 if layer.odd(0, "another row for one gate") else 0
    return np.broadcast_to(np.add(added, off), (1, layer.batch, width))


def _gates(layer: Layer, turn: int, whole: str) -> list[str]:
    """The pieces of all gates, each of one state's shape."""
    net, count = layer.net, GATES[layer.cell]
    if net.operations[-1].name == whole and net.operations[-1].type == "const":
        return [net.const(piece) for piece in np.split(net.held[whole].numpy(), count, -1)]
    axis, shape = -1, net.shape(whole)
    if layer.odd(turn, "gates that interleave"):
        whole = net.op("reshape", x=whole, shape=[*shape[:-1], shape[-1] // count, count])
    pieces = list(net.several("split", outputs=count, x=whole, num_splits=count, axis=axis))
    if layer.odd(turn, "gates that interleave"):
        pieces = [net.op("squeeze", x=piece, axes=[len(shape)]) for piece in pieces]
    if layer.oddity == "gates in another order" or layer.odd(turn, "gates in another order at a turn"):
        pieces = [pieces[1], pieces[0], *pieces[2:]]
    wanted = [1, layer.batch, layer.hidden]
    return [net.op("reshape", x=piece, shape=wanted) if len(shape) == 2 else piece for piece in pieces]


def _gate(layer: Layer, turn: int, x: str) -> str:
    net = layer.net
    if layer.odd(turn, "another gate"):
        return net.op("sigmoid_hard", x=x, alpha=net.number(0.2), beta=net.number(0.5))
    return net.op("sigmoid", x=x)


def _act(layer: Layer, turn: int, x: str, kind: str = "tanh") -> str:
    net = layer.net
    if layer.odd(turn, "another activation"):
        kind = "tanh" if kind == "relu" else "relu"
    if layer.odd(turn, "a sharper activation"):
        x = net.op("mul", x=x, y=net.number(1.0005))
    return net.op(kind, x=x)


def _rnn(layer: Layer, turn: int, row: str, of_state: str, _: tuple[str, ...]) -> tuple[str, ...]:
    net = layer.net
    total = layer.both("add", row, of_state)
    wanted = [1, layer.batch, layer.hidden]
    total = net.op("reshape", x=total, shape=wanted) if len(net.shape(total)) == 2 else total
    return (_act(layer, turn, total, layer.cell),)


def _gru(layer: Layer, turn: int, row: str, of_state: str, before: tuple[str, ...]) -> tuple[str, ...]:
    of_h, of_x = _gates(layer, turn, of_state), _gates(layer, turn, row)
    if layer.odd(turn, "another row for one gate"):
        of_x[1] = _gates(layer, turn, _row(layer, 0))[1]
    reset, update = (_gate(layer, turn, layer.both("add", of_x[gate], of_h[gate])) for gate in (0, 1))
    gated = layer.both("mul", reset, of_h[2])
    new = _act(layer, turn, layer.both("add", of_x[2], gated))
    pair = (new, before[0]) if layer.odd(turn, "the new state less the old") else (before[0], new)
    change = layer.both("mul", layer.net.op("sub", x=pair[0], y=pair[1]), update)
    return (layer.both("add", change, new),)


def _lstm(layer: Layer, turn: int, row: str, of_state: str, before: tuple[str, ...]) -> tuple[str, ...]:
    pieces = _gates(layer, turn, layer.both("add", row, of_state))
    add, forget, new, out = pieces
    kept = layer.both("mul", _gate(layer, turn, forget), before[1])
    fresh = layer.both("mul", _gate(layer, turn, add), _act(layer, turn, new))
    cell = layer.both("add", kept, fresh)
    state = layer.both("mul", _gate(layer, turn, out), layer.net.op("tanh", x=cell))
    return state, cell


def _results(layer: Layer) -> list[str]:
    """The last states, and sequences of them in some order."""
    net, rng = layer.net, layer.net.rng
    states = [each[0] for each in layer.states[1:]]
    found = [*layer.states[-1]] if rng.random() < 0.7 else []
    order = str(
        rng.choice(["forward", "backward", "first too", "some", "mixed", "none", "along another axis"])
    )
    if order == "backward":
        states.reverse()
    if order == "first too" and layer.net.shape(layer.states[0][0]):
        states = [layer.states[0][0], *states]
    if order == "some":
        states = states[:-1] or states
    if order == "mixed":
        states = [states[int(place)] for place in rng.permutation(len(states))]
    if order != "none":
        axis = 2 if order == "along another axis" else 0
        joined = net.op("concat", values=tuple(states), axis=axis, interleave=False)
        found.append(net.op("transpose", x=joined, perm=[1, 0, 2]) if rng.random() < 0.5 else joined)
    return found or [states[-1]]
