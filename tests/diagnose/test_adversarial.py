from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from coreml_gate.config import ImageInput, ModelConfig, ModelInput
from coreml_gate.diagnose.adversarial import CHANGES, Adversary, variants
from coreml_gate.errors import SourceError
from tests.builders import model_config

Function = Callable[..., torch.Tensor]
X = {"x": torch.randn(3, 5, generator=torch.Generator().manual_seed(0))}


class Side:
    """Stands for an engine: one function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.seen: list[Mapping[str, torch.Tensor]] = []

    def run(self, sample: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
        self.seen.append(sample)
        return {"y": self.function(**sample).numpy()}


def wrong(source: Function, package: Function, sample: dict[str, torch.Tensor] = X) -> list[str]:
    found = variants(adversary(source, package), sample)
    return [item.name for item, _ in found if any(each.exceeds(1e-4) for each in item.comparisons)]


def adversary(source: Function, package: Function, config: ModelConfig | None = None) -> Adversary:
    sides: tuple[Any, Any] = (Side(source), Side(package))
    return Adversary(*sides, config or model_config(), 1e-4)


def names(source: Function) -> list[str]:
    return [item.name for item, _ in variants(adversary(source, source), X)]


@pytest.mark.parametrize(
    ("source", "package", "first"),
    [
        (torch.square, lambda x: x * x + 1e-6, "samples times 1e-4"),
        (torch.nn.functional.softplus, lambda x: torch.log(1 + torch.exp(x)), "samples times 1e3"),
        (torch.abs, lambda x: x.square() / x.abs(), "integers"),
        (lambda x: torch.atan2(x, x - 1), lambda x: torch.atan((x) / (x - 1)) * 1.0, "samples times 1e-4"),
        (lambda x: x.clamp(min=-1e30), lambda x: torch.maximum(x, 0 * x - 1e30), "infinities"),
    ],
)
def test_each_change_reaches_what_ordinary_samples_do_not(
    source: Function, package: Function, first: str
) -> None:
    assert wrong(source, package)[0] == first


def test_a_sound_package_never_differs() -> None:
    assert wrong(torch.sigmoid, lambda x: 1 / (1 + torch.exp(-x))) == []


def test_an_undefined_source_proves_nothing() -> None:
    assert "negated magnitudes" not in names(torch.log)
    assert "zeros" not in names(torch.log)
    assert "fractions in (0, 1)" in names(torch.log)


def test_an_unstable_source_proves_nothing() -> None:
    assert "half-integers" not in names(torch.round)
    assert "integers" in names(torch.round)
    assert "repeated values" not in names(lambda x: x.flatten().argsort().float())


def test_a_source_that_refuses_a_change_is_not_asked() -> None:
    def source(x: torch.Tensor) -> torch.Tensor:
        if not x.any():
            raise SourceError("no zeros, please.")
        return x

    assert "zeros" not in names(source)
    assert "integers" in names(source)


def test_integers_masks_and_images_stay_as_they_are() -> None:
    sample = {
        "x": X["x"],
        "ids": torch.tensor([3, 1]),
        "mask": torch.tensor([0.0, 1.0]),
        "image": torch.rand(1, 3, 4, 4),
    }
    config = model_config(input=(ModelInput(name="image", image=ImageInput()),))
    both = adversary(lambda x, **_: x, lambda x, **_: x, config)
    changed = [given for _, given in variants(both, sample)]
    assert len(changed) == len(CHANGES) - 1  # the infinities are an output here
    for given in changed:
        assert all(given[name] is sample[name] for name in ("ids", "mask", "image"))
        assert given["x"] is not sample["x"]


def test_nothing_to_change() -> None:
    both = adversary(lambda ids: ids * 1.0, lambda ids: ids * 2.0)
    assert list(variants(both, {"ids": torch.tensor([1, 2])})) == []


def test_the_time_is_bounded() -> None:
    ticks = iter((0.0, 1.0, 2.0, 31.0, 32.0))
    both = adversary(lambda x: x * 1, lambda x: x * 1)
    assert len(list(variants(both, X, lambda: next(ticks)))) == 2
