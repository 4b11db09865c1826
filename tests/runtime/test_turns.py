"""The product of a turn is that of the state and the matrix, whoever computes it."""

import numpy as np
import pytest
import torch

from coreml_gate.runtime.recurrent.half_turns import gru_loop_in_half, half_product, lstm_in_half
from coreml_gate.runtime.turns import MOST_WEIGHTS, gru_turns, turn_product

SMALL, LARGE = (16, 48), (256, 768)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))) / 4


@pytest.mark.parametrize(
    ("batch", "shape", "by_numpy"), [(1, SMALL, True), (2, SMALL, False), (1, LARGE, False)]
)
def test_each_state_is_multiplied_by_the_matrix(batch: int, shape: tuple[int, int], by_numpy: bool) -> None:
    hidden, width = shape
    assert (hidden * width <= MOST_WEIGHTS) is (shape is SMALL)
    states, weight, product = drawn(5, batch, hidden), drawn(hidden, width), torch.empty(batch, width)
    call, turns, by, out = turn_product(states, weight, product)
    assert (call is np.dot) is by_numpy
    for turn, state in enumerate(turns):
        call(state, by, out=out)
        torch.testing.assert_close(product, states[turn] @ weight, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("hidden", [16, 256])
def test_the_turns_of_a_gru_are_those_of_torchs_cell(batch: int, hidden: int) -> None:
    torch.manual_seed(0)
    cell, sequence, rows = torch.nn.GRUCell(8, hidden), drawn(6, batch, 8), torch.zeros(7, batch, hidden)
    rows[0] = drawn(batch, hidden)
    wanted = [rows[0].clone()]
    with torch.inference_mode():
        for x in sequence:
            wanted.append(cell(x, wanted[-1]))
        products = torch.nn.functional.linear(sequence, cell.weight_ih, cell.bias_ih)
        gru_turns(cell.weight_hh.T.contiguous(), cell.bias_hh, products, rows)
    torch.testing.assert_close(rows, torch.stack(wanted), rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_what_is_not_a_number_goes_from_turn_to_turn_without_a_warning(dtype: torch.dtype) -> None:
    hidden = 4
    products, rows = torch.zeros(3, 1, 3 * hidden, dtype=dtype), torch.zeros(4, 1, hidden, dtype=dtype)
    products[1, 0, -1], rows[0, 0, 0] = torch.nan, torch.inf
    weight, bias = torch.eye(hidden).repeat(1, 3), torch.full((3 * hidden,), -torch.inf)
    with torch.inference_mode():
        if dtype is torch.float32:
            gru_turns(weight, bias, products, rows)
        else:
            gru_loop_in_half(torch.cat((weight, bias[None])), products, rows)
    assert bool(rows[2:].isnan()[..., -1].all())


ODD = (torch.nan, torch.inf, -torch.inf, -0.0, 1e-7, 6e4, 1e-40)


def with_odd(*shape: int) -> torch.Tensor:
    values = drawn(*shape)
    values.view(-1)[: len(ODD)] = torch.tensor(ODD)
    return values


def bits(values: torch.Tensor) -> torch.Tensor:
    kind = torch.int16 if values.dtype is torch.float16 else torch.int32
    return torch.where(values.isnan(), -1, values.contiguous().view(kind))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("hidden", [7, 32])
def test_a_gru_adds_its_biases_gate_by_gate(batch: int, hidden: int) -> None:
    weight, bias, products = drawn(hidden, 3 * hidden), drawn(3 * hidden), with_odd(6, batch, 3 * hidden)
    rows = torch.zeros(7, batch, hidden)
    wanted, product = rows.clone(), torch.empty(batch, 3 * hidden)
    call, _, by, _ = turn_product(wanted, weight, product)
    with np.errstate(all="ignore"):
        for turn, of_x in enumerate(products):
            state = wanted[turn].numpy()[0] if call is np.dot else wanted[turn]
            call(state, by, out=product.numpy()[0] if call is np.dot else product)
            gates = (of_x + bias)[:, : 2 * hidden] + product[:, : 2 * hidden]
            reset, update = gates.sigmoid().chunk(2, -1)
            of_h = product[:, 2 * hidden :] + bias[2 * hidden :]
            new = torch.from_numpy(np.tanh((reset * of_h + of_x[:, 2 * hidden :]).numpy()))
            wanted[turn + 1] = new + update * (wanted[turn] - new)
        gru_turns(weight, bias, products.clone(), rows)
    assert torch.equal(bits(rows), bits(wanted))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("hidden", [7, 32])
def test_a_gru_of_halves_rounds_each_operation(batch: int, hidden: int) -> None:
    weight, one = drawn(hidden + 1, 3 * hidden), torch.ones(batch, 1)
    products, rows = with_odd(6, batch, 3 * hidden).half(), torch.zeros(7, batch, hidden).half()
    h, wanted, product = rows[0], [rows[0].clone()], torch.empty(batch, 3 * hidden)
    for of_x in products:
        call, (state,), by, out = turn_product(torch.cat((h.float(), one), -1)[None], weight, product)
        call(state, by, out=out)
        (reset_h, update_h, new_h), (reset_x, update_x, new_x) = (
            product.half().chunk(3, -1),
            of_x.chunk(3, -1),
        )
        reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
        h = (1 - update) * (reset * new_h + new_x).tanh() + update * h
        wanted.append(h)
    gru_loop_in_half(weight, products, rows)
    assert torch.equal(bits(rows), bits(torch.stack(wanted)))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("hidden", [7, 32])
@pytest.mark.parametrize("rounds", [False, True])
def test_an_lstm_of_halves_rounds_each_operation(batch: int, hidden: int, rounds: bool) -> None:
    weight, bias = drawn(hidden, 4 * hidden), drawn(4 * hidden)
    products, rows = with_odd(6, batch, 4 * hidden).half(), torch.zeros(7, batch, hidden).half()
    cell = drawn(batch, hidden).half()
    h, c = rows[0], cell.clone()
    of_state, of_h = half_product(weight, bias, batch, rounds=rounds), torch.empty(batch, 4 * hidden).half()
    wanted = []
    for of_x in products:
        of_state(h, of_h)
        put, forget, new, give = (of_h + of_x).chunk(4, -1)
        c = c * forget.sigmoid() + put.sigmoid() * new.tanh()
        h = c.tanh() * give.sigmoid()
        wanted.append(h)
    lstm_in_half(of_state, products, rows, cell)
    assert torch.equal(bits(rows[1:]), bits(torch.stack(wanted)))
    assert torch.equal(bits(cell), bits(c))
