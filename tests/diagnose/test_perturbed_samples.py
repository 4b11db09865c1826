import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.config import ImageInput, ModelConfig, ModelInput
from coreml_gate.config.limits import ParityLimits
from coreml_gate.criteria import has_parity
from coreml_gate.diagnose import perturbed_samples as module
from coreml_gate.diagnose.perturbations import LARGE, PERTURBATIONS
from coreml_gate.diagnose.perturbed_samples import (
    FEWEST,
    MOST_MACS,
    ChangesBudget,
    SourceAndPackage,
    perturbed_samples,
    reshaped_samples,
)
from coreml_gate.engines.engine import OverdueCallError
from coreml_gate.engines.overdue import within
from coreml_gate.engines.source import Source
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import SourceError
from coreml_gate.package_facts.shapes import ShapeCase
from tests.builders import model_config

Function = Callable[..., torch.Tensor]
X = {"x": torch.randn(3, 5, generator=torch.Generator().manual_seed(0))}
IDS = {"ids": torch.tensor([[1, 3, 2], [0, 4, 4]])}
IDENTITY: Function = lambda x, **_: x * 1  # noqa: E731  # two of them stand for a sound model


class Expression(torch.nn.Module):
    def __init__(self, function: Function, names: tuple[str, ...]) -> None:
        super().__init__()
        self.function, self.names = function, names
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(**dict(zip(self.names, inputs, strict=True)))


class Package:
    """Stands for a converted package: one function."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def run(self, sample: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
        return {"output_0": self.function(**sample).numpy()}


def sides(
    source: Function,
    package: Function,
    sample: Mapping[str, torch.Tensor] = X,
    config: ModelConfig | None = None,
    shapes: tuple[ShapeCase, ...] = (),
) -> SourceAndPackage:
    module = Expression(source, tuple(sample))
    engine = SourceEngine(Source("module", "net.py:net", Path(), module))
    side: Any = Package(package)
    return SourceAndPackage(engine, side, config or model_config(), ParityLimits(), shapes)


def wrong(source: Function, package: Function, sample: Mapping[str, torch.Tensor] = X) -> list[str]:
    found = perturbed_samples(sides(source, package, sample), sample)
    return [item.name for item, _ in found if not has_parity(item.comparisons, ParityLimits())]


def names(source: Function, sample: Mapping[str, torch.Tensor] = X) -> list[str]:
    return [item.name for item, _ in perturbed_samples(sides(source, source, sample), sample)]


@pytest.mark.parametrize(
    ("source", "package", "first"),
    [
        (torch.square, lambda x: x * x + 1e-6, "samples times 1e-4"),
        (torch.nn.functional.softplus, lambda x: torch.log(1 + torch.exp(x)), "samples times 1e3"),
        (torch.abs, lambda x: x.square() / x.abs(), "integers"),
        (lambda x: x.clamp(min=-1e30), lambda x: torch.maximum(x, 0 * x - 1e30), "infinities"),
        (torch.triu, lambda x: x - x.tril(-1), "infinities"),
        (torch.round, lambda x: (x + 0.5).floor(), "half-integers"),
        (torch.floor, lambda x: -(-x).floor() - 1, "integers"),
        (lambda x: x.clamp(max=3), lambda x: torch.minimum(x, x * 0 + 3), "positive infinities"),
        (lambda x: torch.atan2(x, x), lambda x: torch.atan(x / x), "negated magnitudes"),
    ],
)
def test_each_change_reaches_what_ordinary_samples_do_not(
    source: Function, package: Function, first: str
) -> None:
    assert first in wrong(source, package)


def test_a_sound_package_never_differs() -> None:
    assert wrong(torch.sigmoid, lambda x: 1 / (1 + torch.exp(-x))) == []


def test_elements_at_which_the_source_is_undefined_prove_nothing() -> None:
    assert wrong(torch.log, lambda x: torch.where(x > 0, x.log(), 5.0)) == []
    assert "negated magnitudes" not in names(torch.log)
    assert "fractions in (0, 1)" in names(torch.log)


def test_elements_at_which_the_source_is_unstable_prove_nothing() -> None:
    def order(x: torch.Tensor) -> torch.Tensor:
        return x.flatten().argsort().float()

    def other(x: torch.Tensor) -> torch.Tensor:
        return order(x * (1 + torch.arange(x.numel()).reshape(x.shape) * 3e-8))

    assert wrong(order, other) == []


def test_integers_that_core_ml_cannot_hold_prove_nothing() -> None:
    def source(x: torch.Tensor) -> torch.Tensor:
        return (x * 10).long() / 3

    def package(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x.abs() < 1e8, (x * 10).long(), 0) / 3

    assert wrong(source, package) == []


def test_a_source_that_refuses_a_change_is_not_asked() -> None:
    def source(x: torch.Tensor) -> torch.Tensor:
        if not x.any():
            raise SourceError("no zeros, please.")
        return x * 1

    assert "zeros" not in names(source)
    assert "integers" in names(source)


def test_integers_and_masks_are_changed_as_what_they_are() -> None:
    sample = {**X, **IDS, "mask": torch.tensor([[True, False]])}
    seen: dict[str, Mapping[str, torch.Tensor]] = {}
    for perturbed, given in perturbed_samples(sides(IDENTITY, IDENTITY, sample), sample):
        seen[perturbed.name] = given
    assert seen["the greatest integer everywhere"]["ids"].unique().tolist() == [4]
    assert seen["masks turned round"]["mask"].tolist() == [[False, True]]
    assert seen["zeros"]["ids"] is sample["ids"]
    assert seen["masks of ones"]["x"] is sample["x"]


def test_an_index_is_never_made_large() -> None:
    table = torch.randn(5, 2)

    def lookup(ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding(ids, table)

    assert not LARGE & set(names(lookup, IDS))
    assert wrong(lambda ids: table[ids], lambda ids: table[ids.clamp(min=0)], IDS) == ["negative integers"]
    large = {"ids": IDS["ids"] + 2**20}
    assert set(names(lambda ids: ids.float(), large)) > LARGE


@pytest.mark.parametrize("greatest", [255, 30_521, 2**20 - 1])
def test_small_integers_are_not_made_large(greatest: int) -> None:
    """Integers are exact to 2**24 in Core ML: pixels, ids and counts that never come near are no doubt."""
    counts = {"count": torch.tensor([[1, greatest]])}
    assert not LARGE & set(names(lambda count: count * 3 + 1, counts))


def test_images_stay_as_they_are() -> None:
    sample = {"x": X["x"], "image": torch.rand(1, 3, 4, 4)}
    config = model_config(input=(ModelInput(name="image", image=ImageInput()),))
    both = sides(IDENTITY, IDENTITY, sample, config)
    given = [item for _, item in perturbed_samples(both, sample)]
    assert len(given) == len(PERTURBATIONS["numbers"])
    assert all(item["image"] is sample["image"] for item in given)


def test_each_of_several_inputs_is_changed_alone_as_well() -> None:
    sample = {"x": X["x"], "y": X["x"].flip(0)}
    found = wrong(lambda x, y: x * y, lambda x, y: torch.where((y == 0) & (x != 0), 7.0, x * y), sample)
    assert "zeros in `y` alone" in found
    assert "zeros" not in found
    assert wrong(lambda x, y: (x - y).abs(), lambda x, y: (x - y).abs() + (x == y).all(), sample)[-1] == (
        "the same numbers in all inputs"
    )


def test_the_shapes_at_the_ends_are_tried() -> None:
    shapes = (ShapeCase({"x": (1, 5)}), ShapeCase({"x": (7, 5)}))
    both = sides(lambda x: x.sum(0), lambda x: x[:3].sum(0), shapes=shapes)
    found = {item.name: item for item, _ in reshaped_samples(both, X)}
    assert has_parity(found["samples of shape (1, 5)"].comparisons[:1], ParityLimits())
    assert not has_parity(found["samples of shape (7, 5)"].comparisons[:1], ParityLimits())


def test_the_time_is_bounded_and_what_it_left_out_is_known() -> None:
    ticks = iter((0.0, 1.0, 2.0, *range(31, 60)))
    budget = ChangesBudget(clock=lambda: next(ticks))
    tried = [item.name for item, _ in perturbed_samples(sides(IDENTITY, IDENTITY), X, budget)]
    assert tried == ["samples times 1e-4", "samples times 1e3"]
    assert tried + budget.untried == [*PERTURBATIONS["numbers"]]


@pytest.mark.parametrize(("macs", "most"), [(MOST_MACS / 7, 7), (MOST_MACS, FEWEST)])
def test_of_a_model_that_costs_much_the_changes_that_tell_most_are_tried(macs: float, most: int) -> None:
    budget = ChangesBudget(int(macs))
    sample = {"x": X["x"], "y": X["x"].flip(0)}
    both = sides(lambda x, y: x + y, lambda x, y: x + y, sample)
    tried = {item.name for item, _ in perturbed_samples(both, sample, budget)}
    assert len(tried) == most
    assert tried >= {"half-integers", "zeros", "negated magnitudes", "samples times 1e3"}
    assert "equal values in `y` alone" in budget.untried
    assert not tried & set(budget.untried)


def test_a_change_that_leaves_the_same_numbers_is_tried_once() -> None:
    assert names(lambda ids: ids * 1, {"ids": torch.tensor([[0, 3, 1]])}) == [
        "reversed integers",
        "the least integer everywhere",
        "the greatest integer everywhere",
        "negative integers",
    ]


def _halved_until_small(x: torch.Tensor) -> torch.Tensor:
    while bool((x.abs() > 1).any()):
        try:
            x = x / 2
        except BaseException:  # noqa: BLE001 - the worst that a loop can do
            continue
    return x


@pytest.mark.attack("the model's own code")
def test_a_loop_of_the_source_that_does_not_end_is_given_up_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_SECONDS_OF_A_RUN", 0.05)
    both = sides(_halved_until_small, _halved_until_small)
    found = {item.name: len(item.comparisons) for item, _ in perturbed_samples(both, X)}
    assert {name for name, count in found.items() if not count} == {"infinities", "positive infinities"}
    assert found["samples times 1e3"] == 1


def test_a_run_that_ends_in_time_is_not_interrupted_later() -> None:
    assert within(0.02, lambda: 3) == 3
    until = time.thread_time() + 0.05
    while time.thread_time() < until:
        pass
    with pytest.raises(OverdueCallError):
        within(0.02, lambda: [None for _ in iter(int, 1)])
