"""What a script's package computes instead of its source is found by trying usual mistakes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coreml_gate.config import ImageInput
from coreml_gate.diagnose.computed_instead import computed_instead
from coreml_gate.engines.engine import Outputs
from coreml_gate.engines.source import Source
from coreml_gate.engines.torch_source import SourceEngine


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 10)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        pooled = self.norm(self.conv(image)).abs().mean((2, 3))
        return {"scores": self.head(pooled), "again": self.head(pooled * pooled)}


@pytest.fixture
def source() -> SourceEngine:
    return SourceEngine(Source("module", "net.py:build", Path(), Net().eval()))


SAMPLES = [
    {"image": 60 * torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(i))} for i in range(3)
]


def instead(source: SourceEngine, found: list[Outputs]) -> str:
    expected = [source.run(sample) for sample in SAMPLES]
    said = computed_instead(source, SAMPLES, expected, found)
    return said.what if said else ""


def noisy(outputs: Outputs) -> Outputs:
    """As compressed weights would leave them."""
    draw = np.random.default_rng(0)
    return {
        name: array + 0.002 * np.abs(array).max() * draw.standard_normal(array.shape).astype(np.float32)
        for name, array in outputs.items()
    }


def test_a_norm_in_training_mode(source: SourceEngine) -> None:
    net = source.source.runnable
    statistics = net.norm.running_mean.clone()
    net.train()
    found = [noisy(source.run(sample)) for sample in SAMPLES]
    net.eval()
    assert "batch norms in training mode" in instead(source, found)
    assert not net.norm.training
    assert torch.equal(net.norm.running_mean, statistics)


def test_channels_in_the_other_order_and_pixels_scaled_twice(source: SourceEngine) -> None:
    flipped = [source.run({"image": sample["image"].flip(1)}) for sample in SAMPLES]
    assert "channels of `image` in the other order" in instead(source, flipped)
    small = [source.run({"image": sample["image"] / 255}) for sample in SAMPLES]
    assert instead(source, small) == "the source with `image` divided by 255"


def test_an_input_cut_to_whole_numbers_is_told_from_one_that_was_divided(source: SourceEngine) -> None:
    cut = [source.run({"image": sample["image"].trunc()}) for sample in SAMPLES]
    assert "`image`, which is float32, cut to whole numbers, as an input of int32" in instead(source, cut)
    flat = [{"image": (sample["image"] / 60).sigmoid()} for sample in SAMPLES]
    expected, found = (
        [source.run(sample) for sample in flat],
        [source.run({"image": SAMPLES[0]["image"] * 0})] * 3,
    )
    said = computed_instead(source, flat, expected, found)
    assert said is not None
    assert "cut to whole numbers" in said.what


def test_outputs_under_each_others_names(source: SourceEngine) -> None:
    found = [dict(zip(("again", "scores"), source.run(sample).values(), strict=True)) for sample in SAMPLES]
    assert "`scores` under the name `again` and `again` under the name `scores`" in instead(source, found)


def test_one_step_more_or_a_factor_of_the_output_that_differs(source: SourceEngine) -> None:
    runs = [source.run(sample) for sample in SAMPLES]
    more = [run | {"scores": torch.softmax(torch.from_numpy(run["scores"]), 1).numpy()} for run in runs]
    assert instead(source, more) == "the softmax of the source's `scores`"
    scaled = [run | {"again": run["again"] * np.float32(2.5)} for run in runs]
    assert instead(source, scaled) == "the source's `again` times 2.5"


def test_other_weights_are_explained_by_nothing(source: SourceEngine) -> None:
    other = Net()
    nn.init.normal_(other.conv.weight)
    found = [SourceEngine(Source("module", "", Path(), other.eval())).run(sample) for sample in SAMPLES]
    assert not instead(source, found)
    cut = [{name: array[:, :5] for name, array in run.items()} for run in found]
    assert not instead(source, cut)


def test_pixels_and_their_bias_in_another_order(source: SourceEngine) -> None:
    image = ImageInput(color="BGR", bias=(-104.0, -117.0, -123.0))
    bias = torch.tensor(image.bias).reshape(1, 3, 1, 1)
    expected = [source.run(sample) for sample in SAMPLES]
    for change, what in (
        (lambda x: (x - bias).flip(1) + bias, "channels of `image` in the other order"),
        (lambda x: x - bias + bias.flip(1), "the bias of `image` in the other order"),
        (lambda x: x - bias, "without the bias of `image`"),
    ):
        found = [source.run({"image": change(sample["image"])}) for sample in SAMPLES]
        said = computed_instead(source, SAMPLES, expected, found, {"image": image})
        assert said is not None
        assert what in said.what
