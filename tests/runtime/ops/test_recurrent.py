from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.runtime.conftest import RunOperation

LENGTH, BATCH, FEATURES, HIDDEN = 5, 2, 3, 4


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((LENGTH, BATCH, FEATURES)).astype(np.float32)


def start(rng: np.random.Generator, size: int = HIDDEN) -> Any:
    return rng.standard_normal((BATCH, size)).astype(np.float32)


def weights(rng: np.random.Generator, gates: int) -> Any:
    shapes = ((gates * HIDDEN, FEATURES), (gates * HIDDEN, HIDDEN), (gates * HIDDEN,))
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def mil_order(gates: NDArray[np.float32]) -> Any:
    """torch has input, forget, cell, output; MIL input, forget, output, cell."""
    i, f, z, o = np.split(gates, 4)
    return np.concatenate((i, f, o, z))


def test_an_infinite_cell_state_is_no_nan_without_peepholes(
    x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    """``clip`` leaves torch's kernel, and ends the state."""
    w_ih, w_hh, bias = weights(rng, 4)
    constants = {"weight_ih": w_ih, "weight_hh": w_hh, "bias": bias, "clip": np.float32(2)}
    values = {"x": x, "initial_h": start(rng), "initial_c": np.full((BATCH, HIDDEN), np.inf, np.float32)}
    for found in run_operation("lstm", values, constants, ("fp32",) * 3):
        assert bool(np.isfinite(found).all())


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("activation", ["tanh", "scaled_tanh", "linear"])
def test_lstm_step_by_step(
    direction: str,
    activation: str,
    x: NDArray[np.float32],
    run_operation: RunOperation,
    rng: np.random.Generator,
) -> None:
    """``linear`` leaves torch's kernel, so both ways of computing are asked."""
    w_ih, w_hh, bias = weights(rng, 4)
    h = h0 = start(rng)
    c = c0 = start(rng)
    act = np.tanh if activation.endswith("tanh") else lambda value: value
    states = []
    for step in x if direction == "forward" else x[::-1]:
        i, f, o, z = np.split(step @ w_ih.T + h @ w_hh.T + bias, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
        h = sigmoid(o) * act(c)
        states.append(h)
    constants = {"weight_ih": w_ih, "weight_hh": w_hh, "bias": bias, "direction": direction,
                 "output_sequence": True, "activation": activation}  # fmt: skip
    values = {"x": x, "initial_h": h0, "initial_c": c0}
    found = run_operation("lstm", values, constants, ("fp32",) * 3)
    wanted = np.stack(states), h, c
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-value))


def test_bidirectional_lstm_equals_torch(
    x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    module = torch.nn.LSTM(FEATURES, HIDDEN, bidirectional=True)
    h0, c0 = start(rng, 2 * HIDDEN), start(rng, 2 * HIDDEN)

    def two(both: Any) -> Any:
        return torch.from_numpy(np.stack(np.split(both, 2, -1)))

    with torch.no_grad():
        states, (h, c) = module(torch.from_numpy(x), (two(h0), two(c0)))
    named = {name: value.detach().numpy() for name, value in module.named_parameters()}
    constants = {"direction": "bidirectional", "output_sequence": True}
    for ours, theirs in (("", "l0"), ("_back", "l0_reverse")):
        constants[f"weight_ih{ours}"] = mil_order(named[f"weight_ih_{theirs}"])
        constants[f"weight_hh{ours}"] = mil_order(named[f"weight_hh_{theirs}"])
        constants[f"bias{ours}"] = mil_order(named[f"bias_ih_{theirs}"] + named[f"bias_hh_{theirs}"])
    found = run_operation("lstm", {"x": x, "initial_h": h0, "initial_c": c0}, constants, ("fp32",) * 3)
    for a, b in zip(found, (states, torch.cat((*h,), -1), torch.cat((*c,), -1)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_only_the_last_state_without_output_sequence(
    x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    w_ih, w_hh, bias = weights(rng, 4)
    constants = {"weight_ih": w_ih, "weight_hh": w_hh, "bias": bias}
    values = {"x": x, "initial_h": start(rng), "initial_c": start(rng)}
    states, h, _ = run_operation("lstm", values, constants, ("fp32",) * 3)
    assert states.shape == (1, BATCH, HIDDEN)
    np.testing.assert_array_equal(states[0], h)


def test_peephole_and_clip_reach_the_gates(
    x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    w_ih, w_hh, bias = weights(rng, 4)
    peephole = rng.standard_normal(3 * HIDDEN).astype(np.float32)
    h0, c0 = start(rng), start(rng)
    i, f, o, z = np.split(x[0] @ w_ih.T + h0 @ w_hh.T + bias, 4, -1)
    p_i, p_f, p_o = np.split(peephole, 3)
    c = np.clip(sigmoid(f + p_f * c0) * c0 + sigmoid(i + p_i * c0) * np.tanh(z), -0.1, 0.1)
    h = sigmoid(o + p_o * c) * np.tanh(c)
    constants = {"weight_ih": w_ih, "weight_hh": w_hh, "bias": bias, "peephole": peephole, "clip": 0.1}
    _, found, _ = run_operation(
        "lstm", {"x": x[:1], "initial_h": h0, "initial_c": c0}, constants, ("fp32",) * 3
    )
    np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reset_after", [False, True])
def test_gru_applies_the_reset_gate_before_or_after_the_product(
    reset_after: bool, x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    w_ih, w_hh, bias = weights(rng, 3)
    h = h0 = start(rng)
    w_r, w_o, w_z = np.split(w_hh, 3)
    b_r, b_o, b_z = np.split(bias, 3)
    for step in x:
        x_r, x_o, x_z = np.split(step @ w_ih.T, 3, -1)
        r, z = sigmoid(x_r + h @ w_r.T + b_r), sigmoid(x_z + h @ w_z.T + b_z)
        o = np.tanh(x_o + (r * (h @ w_o.T + b_o) if reset_after else (r * h) @ w_o.T + b_o))
        h = (1 - z) * o + z * h
    constants = {"weight_ih": w_ih, "weight_hh": w_hh, "bias": bias, "reset_after": reset_after}
    _, found = run_operation("gru", {"x": x, "initial_h": h0}, constants, ("fp32",) * 2)
    np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-5)


def test_rnn_in_reverse(
    x: NDArray[np.float32], run_operation: RunOperation, rng: np.random.Generator
) -> None:
    w_ih, w_hh, bias = weights(rng, 1)
    h = h0 = start(rng)
    for step in x[::-1]:
        h = np.maximum(step @ w_ih.T + h @ w_hh.T + bias, 0)
    constants = {"weight_ih": w_ih, "weight_hh": w_hh, "bias": bias, "direction": "reverse",
                 "activation": "relu", "output_sequence": True}  # fmt: skip
    states, found = run_operation("rnn", {"x": x, "initial_h": h0}, constants, ("fp32",) * 2)
    np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(states[-1], found)


_ONE = np.ones((1, 1), np.float16)
_ADDING: dict[str, dict[str, Any]] = {
    "rnn": {"weight_ih": _ONE, "weight_hh": _ONE, "activation": "linear"},
    "gru": {
        "weight_ih": np.array([[0], [1], [0]], np.float16),
        "weight_hh": np.array([[0], [1], [0]], np.float16),
        "bias": np.array([1, 0, 0], np.float16),
        "recurrent_activation": "linear",
        "activation": "linear",
        "reset_after": True,
    },
    "lstm": {
        "weight_ih": np.array([[0], [0], [0], [1]], np.float16),
        "weight_hh": np.zeros((4, 1), np.float16),
        "bias": np.array([1, 1, 1, 0], np.float16),
        "recurrent_activation": "linear",
        "cell_activation": "linear",
        "activation": "linear",
    },
}
"""Layers whose state is the sum of the inputs so far."""


@pytest.mark.parametrize("layer", _ADDING)
@pytest.mark.parametrize(("mode", "sum_"), [("fp16", 2052), ("neural-engine", 2056)])
def test_a_state_of_halves_is_rounded_once_and_by_the_engine_at_each_step(
    layer: str, mode: str, sum_: float, run_operation: RunOperation
) -> None:
    """Beyond 2048 halves are 2 apart, so 2048 + 1 becomes 2050 where the state itself is a half."""
    start = {"initial_h": np.array([[2048]], np.float16)}
    start |= {"initial_c": start["initial_h"]} if layer == "lstm" else {}
    found = run_operation(
        layer,
        {"x": np.ones((4, 1, 1), np.float16), **start},
        _ADDING[layer],
        ("fp16",) * (len(start) + 1),
        mode,
    )
    assert [float(value.reshape(-1)[0]) for value in found] == [sum_] * len(found)


def test_the_engine_rounds_the_states_of_both_directions(run_operation: RunOperation) -> None:
    one = _ADDING["lstm"]
    back = {f"{name}_back": one[name] for name in ("weight_ih", "weight_hh", "bias")}
    states = np.array([[2048, 1024]], np.float16)
    values = {"x": np.ones((4, 1, 1), np.float16), "initial_h": states, "initial_c": states}
    _, _, cells = run_operation(
        "lstm", values, {**one, **back, "direction": "bidirectional"}, ("fp16",) * 3, "neural-engine"
    )
    np.testing.assert_array_equal(cells, [[2056, 1028]])


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_an_lstm_without_hidden_units_gives_empty_states_and_does_not_end_the_process(
    direction: str, x: NDArray[np.float32], run_operation: RunOperation
) -> None:
    """torch's kernels divide by the number of units: a damaged package would take the gate with it."""
    none = np.zeros((0, FEATURES), np.float32), np.zeros((0, 0), np.float32)
    constants: dict[str, Any] = {"weight_ih": none[0], "weight_hh": none[1], "direction": direction}
    if direction == "bidirectional":
        constants |= {"weight_ih_back": none[0], "weight_hh_back": none[1]}
    empty = np.zeros((BATCH, 0), np.float32)
    values = {"x": x, "initial_h": empty, "initial_c": empty}
    for found in run_operation("lstm", values, constants, ("fp32",) * 3):
        assert found.size == 0
