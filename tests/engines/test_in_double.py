"""A source in float64 without a float64 copy of its parameters gives what a copy gives."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from coreml_gate.engines.in_double import greatest_given, in_double, sample_in_double
from coreml_gate.engines.source import Source
from coreml_gate.engines.torch_source import SourceEngine


class Tied(nn.Module):
    """Reads a parameter of another module, asks one for its type, and keeps a state in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 16)
        self.register_buffer("total", torch.zeros(1, 16))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.to(self.table.weight.dtype) @ self.table.weight.t()
        self.total.add_(x.mean(1))
        return torch.cat([rows.softmax(-1), self.total.expand(1, 5, 16)], -1)


def encoder() -> nn.Module:
    return nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)


def normed() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(16, 8)), nn.LayerNorm(8), nn.PReLU())


def convolved() -> nn.Module:
    return nn.Sequential(nn.Conv1d(5, 4, 3), nn.BatchNorm1d(4), nn.Hardswish())


KINDS: dict[str, Callable[[], nn.Module]] = {
    "tied": Tied,
    "attention": encoder,
    "weight norm": normed,
    "convolution": convolved,
    "recurrent": lambda: nn.LSTM(16, 8, 2, batch_first=True, bidirectional=True),
    "scripted": lambda: nn.Sequential(nn.Linear(16, 8), torch.jit.script(nn.Linear(8, 4))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_outputs_are_those_of_a_copy_in_float64(kind: str) -> None:
    torch.manual_seed(0)
    model = KINDS[kind]().eval().requires_grad_(requires_grad=False)
    sample = {"input": torch.randn(1, 5, 16)}
    engine = SourceEngine(Source("module", "net.py:net", Path(), model))
    as_it_was = copy.deepcopy(model).double()
    found = in_double(engine).run(sample_in_double(sample))
    expected = SourceEngine(Source("module", "net.py:net", Path(), as_it_was)).run(sample_in_double(sample))
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert (found[name] == array).all()
    assert {each.dtype for each in (*model.parameters(), *model.buffers()) if each.is_floating_point()} == {
        torch.float32
    }
    assert engine.run(sample).keys() == found.keys()


@pytest.mark.parametrize("bias", [True, False])
def test_a_large_weight_is_read_in_parts(bias: bool) -> None:
    """The sums may have another order."""
    torch.manual_seed(0)
    model = nn.Linear(16, 40_000, bias=bias).eval().requires_grad_(requires_grad=False)
    value = torch.randn(2, 3, 16, dtype=torch.float64)
    wide = in_double(SourceEngine(Source("module", "net.py:net", Path(), model))).source.model
    assert isinstance(wide, nn.Module)
    torch.testing.assert_close(wide(value), copy.deepcopy(model).double()(value), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("options", [{}, {"padding_idx": 2}, {"max_norm": 1.0}])
def test_an_embedding_is_widened_where_it_is_read(options: dict[str, float]) -> None:
    torch.manual_seed(0)
    model = nn.Embedding(9, 16, **options).eval().requires_grad_(requires_grad=False)
    as_it_was = copy.deepcopy(model).double()
    indices = torch.tensor([[1, 2, 8]])
    source = SourceEngine(Source("module", "net.py:net", Path(), model))
    (found,) = in_double(source).run({"input": indices}).values()
    assert (found == as_it_was(indices).float().numpy()).all()


def test_parameters_are_shared_and_buffers_are_not() -> None:
    model = Tied().eval()
    engine = in_double(SourceEngine(Source("module", "net.py:net", Path(), model)))
    wide = engine.source.model
    assert isinstance(wide, Tied)
    assert wide.table.weight is model.table.weight
    assert wide.total.dtype == torch.float64
    assert engine.source.input_names == ("x",)


@pytest.mark.parametrize(
    ("values", "greatest"),
    [
        ([1.0, -3.0], 3.0),
        ([2.0, -1e9], 2.0),
        ([2.0, -torch.inf], 2.0),
        ([torch.nan, -4.0], 4.0),
        ([1e9], 0.5),
        ([], 0.5),
    ],
)
def test_masks_infinities_and_nan_are_not_the_greatest_value(values: list[float], greatest: float) -> None:
    engine = SourceEngine(Source("module", "net.py:net", Path(), nn.Identity()))
    assert greatest_given(engine, {"x": torch.tensor(values), "y": torch.tensor([0.5])}) == greatest
