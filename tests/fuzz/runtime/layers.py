"""Layers one by one, in any form that MIL gives them, each with an activation behind it."""

import math
from typing import Any

import numpy as np

from tests.fuzz.runtime.net import Case, Net, given
from tests.fuzz.runtime.nets import Grown, activated, layer
from tests.runtime.conftest import constant


def layer_case(rng: np.random.Generator) -> Case:
    """One layer, or the same twice on operands of other values."""
    return _layer_of(Net(rng, str(rng.choice(["fp32", "fp16"]))))


def empty_case(rng: np.random.Generator) -> Case:
    """A layer some of whose sizes are zero: channels, rows, steps, the batch, the results."""
    return _layer_of(Net(rng, str(rng.choice(["fp32", "fp16"])), empty=0.15))


def _layer_of(net: Net) -> Case:
    rng = net.rng
    kind = str(
        rng.choice(["conv", "conv_transpose", "conv_transpose", "lstm", "lstm", "gru", "rnn", "product"])
    )
    outputs = list(_MAKERS[kind](net))
    return Case(net.function(outputs), given(net, 3, float(rng.choice([0.1, 1, 30]))))


def _sizes(net: Net, dims: int) -> tuple[int, ...]:
    return tuple(net.size(1, 2, 5, 8) for _ in range(dims))


def _conv(net: Net) -> list[str]:
    dims = int(net.rng.integers(1, 4))
    batch = int(net.rng.choice([1, 2, 0], p=[0.6, 0.3, 0.1]))
    x = net.input((batch, net.size(1, 3, 8), *_sizes(net, dims)))
    grown = Grown(net, dims)
    made = layer(grown, x, net.size(1, 4, 16))
    return [made, activated(grown, layer(grown, x))]


def _transposed(net: Net) -> list[str]:
    """All forms of padding, and sizes that the caller wants."""
    rng, dims = net.rng, int(net.rng.integers(1, 4))
    groups = int(rng.choice([1, 1, 2]))
    channels, out = net.size(2) * groups, net.size(1, 4)
    sizes = _sizes(net, dims)
    x = net.input((net.size(1, 2), channels, *sizes))
    window = [int(rng.integers(1, 4)) for _ in range(dims)]
    options: dict[str, Any] = {
        "strides": [int(rng.integers(1, 4)) for _ in range(dims)],
        "dilations": [int(rng.choice([1, 1, 2])) for _ in range(dims)],
        "pad_type": str(rng.choice(["valid", "same", "same_lower", "custom"])),
        "groups": constant(np.int32(groups)),
        "weight": net.number(net.drawn((channels, out, *window), 1 / math.sqrt(math.prod(window)))),
    }
    if options["pad_type"] == "custom":
        options["pad"] = [int(rng.integers(0, width)) // 2 for width in window for _ in (0, 1)]
    if rng.random() < 0.7:
        options["bias"] = net.number(net.drawn((out * groups,)))
    made = net.op("conv_transpose", x=x, **options)
    after = activated(Grown(net, dims), made)
    total = net.op("reduce_sum", x=after, axes=list(range(2, 2 + dims)), keep_dims=False)
    return [after, total] if rng.random() < 0.8 else [made, after]


def _product(net: Net) -> list[str]:
    """Products with one matrix, or with one that is the same for all of a batch, or nearly."""
    rng = net.rng
    rank, inner, outer = int(rng.integers(2, 5)), net.size(1, 3, 8), net.size(1, 5, 16)
    shape = (*(net.size(1, 2, 4) for _ in range(rank - 1)), inner)
    x = net.input(shape)
    weight = net.drawn((inner, outer))
    if rank > 2 and rng.random() < 0.6:
        weight = np.repeat(weight[None], shape[-3] if rng.random() < 0.7 else 1, 0)
        if rng.random() < 0.3 and weight.size:
            weight[-1, -1, -1] += 1e-3
    turned = bool(rng.random() < 0.5)
    weight = np.swapaxes(weight, -1, -2).copy() if turned else weight
    made = net.op("matmul", x=x, y=net.number(weight), transpose_x=False, transpose_y=turned)
    return [made, net.op("tanh", x=net.op("add", x=made, y=net.number(net.drawn((outer,)))))]


def _scale(terms: int) -> float:
    """For weights of so many products, whose sum stays about as large as one."""
    return 1 / math.sqrt(max(terms, 1))


def _start(net: Net, batch: int, width: int) -> str:
    if net.rng.random() < 0.5:
        return net.input((batch, width))
    return net.const(np.zeros((batch, width)))


def _sequence(net: Net) -> tuple[str, int, int, int]:
    length, batch, features = net.size(1, 2, 5), net.size(1, 3), net.size(1, 4)
    return net.input((length, batch, features)), batch, features, net.size(1, 4, 8)


def _lstm(net: Net) -> list[str]:
    rng = net.rng
    x, batch, features, hidden = _sequence(net)
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    ways = ("", "_back") if direction == "bidirectional" else ("",)
    options: dict[str, Any] = {"direction": direction, "output_sequence": bool(rng.random() < 0.5)}
    biased = rng.random() < 0.8
    for way in ways:
        options[f"weight_ih{way}"] = net.number(net.drawn((4 * hidden, features), _scale(features)))
        options[f"weight_hh{way}"] = net.number(net.drawn((4 * hidden, hidden), _scale(hidden)))
        if biased:
            options[f"bias{way}"] = net.number(net.drawn((4 * hidden,)))
    if rng.random() < 0.2:
        options["clip"] = net.number(0.5)
    if rng.random() < 0.2:
        options["activation"] = str(rng.choice(["relu", "tanh", "sigmoid"]))
    if rng.random() < 0.15:
        options |= {f"peephole{way}": net.number(net.drawn((3 * hidden,))) for way in ways}
    starts = {name: _start(net, batch, hidden * len(ways)) for name in ("initial_h", "initial_c")}
    return list(net.several("lstm", outputs=3, x=x, **starts, **options))


def _gru(net: Net) -> list[str]:
    rng = net.rng
    x, batch, features, hidden = _sequence(net)
    options: dict[str, Any] = {
        "weight_ih": net.number(net.drawn((3 * hidden, features), _scale(features))),
        "weight_hh": net.number(net.drawn((3 * hidden, hidden), _scale(hidden))),
        "direction": str(rng.choice(["forward", "reverse"])),
        "output_sequence": bool(rng.random() < 0.5),
    }
    if rng.random() < 0.7:
        options["bias"] = net.number(net.drawn((3 * hidden,)))
    return list(net.several("gru", outputs=2, x=x, initial_h=_start(net, batch, hidden), **options))


def _rnn(net: Net) -> list[str]:
    rng = net.rng
    x, batch, features, hidden = _sequence(net)
    options: dict[str, Any] = {
        "weight_ih": net.number(net.drawn((hidden, features), _scale(features))),
        "weight_hh": net.number(net.drawn((hidden, hidden), 0.7 * _scale(hidden))),
        "direction": str(rng.choice(["forward", "reverse"])),
        "output_sequence": bool(rng.random() < 0.5),
        "activation": str(rng.choice(["tanh", "relu", "sigmoid"])),
    }
    if rng.random() < 0.7:
        options["bias"] = net.number(net.drawn((hidden,)))
    return list(net.several("rnn", outputs=2, x=x, initial_h=_start(net, batch, hidden), **options))


_MAKERS = {
    "conv": _conv,
    "conv_transpose": _transposed,
    "gru": _gru,
    "lstm": _lstm,
    "product": _product,
    "rnn": _rnn,
}
