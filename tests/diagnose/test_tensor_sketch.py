import math

import pytest
import torch

from coreml_gate.diagnose.tensor_sketch import distance, same_elements, sketch
from coreml_gate.diagnose.torch_calls import operand_of

LIMIT = 1e-4
LARGE = torch.randn(64, 3, 33, 17, generator=torch.Generator().manual_seed(0))


def off(change: torch.Tensor) -> float:
    return distance(sketch(LARGE), sketch(change))


def test_a_small_tensor_is_compared_exactly() -> None:
    reference = torch.tensor([4.0, 1.0, -2.0])
    assert distance(sketch(reference), sketch(torch.tensor([4.0, 1.5, -2.0]))) == 0.125


def test_rounding_stays_below_the_limit_in_a_large_one() -> None:
    assert off(LARGE * (1 + 1e-6)) < LIMIT / 10
    assert off(LARGE.double().float()) == 0


@pytest.mark.parametrize("index", [0, 50_001, LARGE.numel() - 1])
def test_one_wrong_element_of_a_large_tensor_is_seen(index: int) -> None:
    wrong = LARGE.clone()
    wrong.view(-1)[index] += 0.1
    assert off(wrong) > LIMIT


def test_neighbours_that_changed_places_are_seen() -> None:
    wrong = LARGE.clone().view(-1)
    wrong[10:20] = wrong[10:20].flip(0)
    assert off(wrong.view(LARGE.shape)) > LIMIT


def test_another_shape_is_no_agreement_but_the_same_elements() -> None:
    turned = LARGE.transpose(0, 1).contiguous()
    assert math.isinf(off(turned))
    assert same_elements(sketch(LARGE), sketch(turned))
    assert not same_elements(sketch(LARGE), sketch(turned * 2))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_quantised_tensor_counts_with_its_numbers() -> None:
    numbers = torch.tensor([0.5, -1.0, 2.0])
    rounded = torch.quantize_per_tensor(numbers, 0.25, 3, torch.qint8)
    assert distance(sketch(numbers), sketch(rounded)) == 0
    assert operand_of(rounded).least == -1.0


def test_a_scalar_has_the_shape_of_one_element() -> None:
    assert distance(sketch(torch.tensor(2.0)), sketch(torch.tensor([2.0]))) == 0


@pytest.mark.parametrize("wrong", [math.nan, -math.inf, 0.0])
def test_infinities_and_nan_must_stand_where_they_stood(wrong: float) -> None:
    reference, candidate = LARGE.clone(), LARGE.clone()
    reference.view(-1)[7], candidate.view(-1)[7] = math.inf, wrong
    assert math.isinf(distance(sketch(reference), sketch(candidate)))
    assert distance(sketch(reference), sketch(reference.clone())) == 0


def test_integers_must_be_equal_however_large_they_are() -> None:
    ids = torch.arange(50_000)
    wrong = ids.clone()
    wrong[123] += 1
    assert math.isinf(distance(sketch(ids), sketch(wrong)))
    assert distance(sketch(ids), sketch(ids.int())) == 0


def test_the_scale_is_that_of_the_reference() -> None:
    assert distance(sketch(torch.zeros(3)), sketch(torch.full((3,), 0.5))) == 0.5
    assert distance(sketch(torch.zeros(0)), sketch(torch.zeros(0))) == 0
