"""Recurrent layers by their formulas, in float64: MIL's own text, gate by gate."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


_ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
}


def lstm(given: Mapping[str, Any]) -> tuple[Array, ...]:
    """States (or the last), last hidden state, last cell state; weights in the order of torch's gates."""
    h, c = given["initial_h"], given["initial_c"]
    if given["weight_ih_back"] is None:
        states, h, c = _lstm_way(given, "", h, c, reverse=given["direction"] == "reverse")
    else:
        ways = zip(np.split(h, 2, -1), np.split(c, 2, -1), ("", "_back"), strict=True)
        (one, *of_one), (other, *of_other) = (
            _lstm_way(given, way, h, c, reverse=way == "_back") for h, c, way in ways
        )
        states = np.concatenate((one, other[::-1]), -1)
        h, c = (np.concatenate(pair, -1) for pair in zip(of_one, of_other, strict=True))
    return (states if given["output_sequence"] else h[None]), h, c


def _lstm_way(given: Mapping[str, Any], way: str, h: Array, c: Array, *, reverse: bool) -> tuple[Array, ...]:
    of_x, of_h, bias, peephole = (
        given[f"{name}{way}"] for name in ("weight_ih", "weight_hh", "bias", "peephole")
    )
    gate, fresh, out = (
        _ACTIVATIONS[given[name]] for name in ("recurrent_activation", "cell_activation", "activation")
    )
    p_i, p_f, p_o = (None,) * 3 if peephole is None else np.split(peephole, 3)
    states = []
    for x in given["x"][::-1] if reverse else given["x"]:
        i, f, z, o = np.split(x @ of_x.T + h @ of_h.T + (0 if bias is None else bias), 4, -1)
        c = gate(_seen(f, p_f, c)) * c + gate(_seen(i, p_i, c)) * fresh(z)
        c = c if given["clip"] is None else np.clip(c, -given["clip"], given["clip"])
        h = gate(_seen(o, p_o, c)) * out(c)
        states.append(h)
    return np.stack(states), h, c


def _seen(of_gate: Array, peephole: Array | None, c: Array) -> Array:
    return of_gate if peephole is None else of_gate + peephole * c


def gru(given: Mapping[str, Any]) -> tuple[Array, ...]:
    """States (or the last), and the last; gates in the order reset, output, update."""
    h, act = given["initial_h"], _ACTIVATIONS[given["activation"]]
    of_h, bias, states = given["weight_hh"], given["bias"], []
    w_r, w_o, w_z = np.split(of_h, 3)
    b_r, b_o, b_z = np.zeros((3, h.shape[-1])) if bias is None else np.split(bias, 3)
    for x in _steps(given):
        x_r, x_o, x_z = np.split(x @ given["weight_ih"].T, 3, -1)
        r, z = _sigmoid(x_r + h @ w_r.T + b_r), _sigmoid(x_z + h @ w_z.T + b_z)
        h = (1 - z) * act(x_o + (r * h) @ w_o.T + b_o) + z * h
        states.append(h)
    return (np.stack(states) if given["output_sequence"] else h[None]), h


def rnn(given: Mapping[str, Any]) -> tuple[Array, ...]:
    """States (or the last), and the last."""
    h, states, act = given["initial_h"], [], _ACTIVATIONS[given["activation"]]
    for x in _steps(given):
        h = act(
            x @ given["weight_ih"].T
            + h @ given["weight_hh"].T
            + (0 if given["bias"] is None else given["bias"])
        )
        states.append(h)
    return (np.stack(states) if given["output_sequence"] else h[None]), h


def _steps(given: Mapping[str, Any]) -> Array:
    steps: Array = given["x"]
    return steps[::-1] if given["direction"] == "reverse" else steps


CELLS: Mapping[str, Callable[[Mapping[str, Any]], tuple[Array, ...]]] = {"gru": gru, "lstm": lstm, "rnn": rnn}
