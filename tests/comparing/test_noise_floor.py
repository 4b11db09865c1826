"""The source's own rounding, of models whose outputs are zero but for it, and what is not rounding at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from coreml_gate.comparing.noise_floor import noise_floors
from coreml_gate.engines.in_double import in_double
from coreml_gate.engines.source import Source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import SourceError

Function = Callable[[torch.Tensor], torch.Tensor]
X = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(0)) * 3 + 1


class Net(torch.nn.Module):
    def __init__(self, function: Function, mask: float = 0.0) -> None:
        super().__init__()
        self.function = function
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.register_buffer("mask", torch.tensor([mask, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x * self.weight)


def floor(function: Function, x: torch.Tensor = X, mask: float = 0.0) -> float | None:
    engine = SourceEngine(Source("module", "net.py:net", Path(), Net(function, mask)))
    sample = {"x": x}
    return noise_floors(engine, in_double(engine), sample, engine.run(sample)).get("output_0")


ZERO_BUT_FOR_ROUNDING: dict[str, Function] = {
    "the mean of what is normalised": lambda x: torch.nn.functional.instance_norm(x).mean(-1),
    "probabilities less their sum": lambda x: x.softmax(-1).sum(-1) - 1,
    "a value less itself by another way": lambda x: (x + 1).square() - x.square() - 2 * x - 1,
    "the log of a product less the sum of logs": lambda x: (x.exp() * 3).log() - x - 1.0986122886681098,
}


@pytest.mark.parametrize("function", ZERO_BUT_FOR_ROUNDING.values(), ids=ZERO_BUT_FOR_ROUNDING)
def test_an_output_that_is_zero_but_for_rounding_has_a_floor_as_large_as_itself(function: Function) -> None:
    found = floor(function)
    assert found is not None
    single = function(X)
    assert 0 < single.abs().max() <= 2 * found < 1e-4


def test_a_zero_that_float32_meets_by_luck_has_the_floor_of_what_flows_into_it() -> None:
    found = floor(lambda x: (x * 0 + 3.7).var(-1))
    greatest = float(X.abs().max())
    assert found == pytest.approx(2.0**-24 * greatest, rel=1e-6)


def test_a_small_answer_is_no_rounding() -> None:
    found = floor(lambda x: x * 1e-10)
    assert found is not None
    assert found < 1e-15


def test_an_ordinary_output_has_a_floor_far_below_itself() -> None:
    found = floor(lambda x: x.tanh() @ torch.ones(16, 16, dtype=x.dtype))
    assert found is not None
    assert 0 < found < 1e-5


def test_a_branch_on_the_type_is_another_answer_and_no_rounding() -> None:
    assert floor(lambda x: x if x.dtype == torch.float64 else x + 1) is None
    assert floor(lambda x: torch.where(x > torch.finfo(x.dtype).tiny * 1e300, x.log(), x)) is None


MASKS = (-1e4, -1e9, torch.finfo(torch.float32).min, -torch.inf)


@pytest.mark.parametrize("mask", MASKS)
def test_the_number_of_a_mask_excuses_nothing(mask: float) -> None:
    small = floor(lambda x: x * 1e-10, mask=mask)
    assert small is not None
    assert small < 1e-15
    assert floor(lambda x: x + torch.rand_like(x) * 0.1, mask=mask) is None


def test_a_sample_of_infinities_has_the_floor_of_its_finite_numbers() -> None:
    x = torch.where(X > 3, torch.inf, X)
    found = floor(lambda x: (x * 0).nan_to_num() + (x.nan_to_num(0, 0) * 0 + 3.7).var(-1, keepdim=True), x)
    assert found == pytest.approx(2.0**-24 * float(X[X <= 3].abs().max()), rel=1e-6)


def test_integers_have_no_floor() -> None:
    assert floor(lambda x: x.argmax(-1)) is None


def test_a_source_that_draws_numbers_excuses_nothing() -> None:
    assert floor(lambda x: x + torch.rand_like(x) * 0.1) is None


def test_what_cannot_run_in_double_says_so() -> None:
    fixed = torch.ones(16, 16)
    with pytest.raises(SourceError):
        floor(lambda x: x @ fixed)
    exported = torch.export.export(Net(torch.tanh), (X,), strict=False)
    engine = SourceEngine(Source("exported-program", "net.pt2", Path(), exported))
    with pytest.raises(SourceError, match="types it was captured with"):
        in_double(engine)
