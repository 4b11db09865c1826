"""A package may call its inputs otherwise than the source does."""

import torch

from coreml_gate.config import ModelConfig
from coreml_gate.engines.mil import package_inputs
from coreml_gate.mil.ir import Feature

CONFIG = ModelConfig(name="net", source="net.py:Net")
SAMPLE = {"x": torch.ones(2), "state": torch.zeros(3)}


def features(**shapes: tuple[int, ...]) -> tuple[Feature, ...]:
    return tuple(Feature(name, "tensor", "fp32", shape) for name, shape in shapes.items())


def shapes(*given: Feature) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in package_inputs(SAMPLE, given, CONFIG).items()}


def test_names_that_agree_find_each_other_whatever_their_order() -> None:
    assert shapes(*features(state=(3,), x=(2,))) == {"x": (2,), "state": (3,)}


def test_a_word_of_mil_that_coremltools_renames_is_still_found() -> None:
    """A GRU's input `state` becomes `state_workaround`, and stands first in the package."""
    assert shapes(*features(state_workaround=(3,), x=(2,))) == {"x": (2,), "state_workaround": (3,)}


def test_where_no_name_agrees_inputs_go_by_position() -> None:
    assert shapes(*features(first=(2,), second=(3,))) == {"first": (2,), "second": (3,)}


def test_another_number_of_inputs_is_left_for_the_package_to_refuse() -> None:
    assert shapes(*features(x=(2,), y=(3,), z=(1,))) == {"x": (2,), "state": (3,)}


def test_an_image_has_the_channels_of_the_source_and_not_those_of_the_package() -> None:
    """A package that takes them in another order than its source would be right by its own word."""
    table = {"name": "photo", "image": {"color": "BGR"}}
    config = ModelConfig.model_validate({"name": "net", "source": "net.py:Net", "input": [table]})
    blue_first = torch.tensor([10.0, 20.0, 30.0]).reshape(1, 3, 1, 1)
    for color in ("RGB", "BGR"):
        feature = Feature("photo", "image", "", (1, 1), color=color)
        (pixels,) = package_inputs({"photo": blue_first}, (feature,), config).values()
        assert pixels.tolist() == [[[30.0, 20.0, 10.0]]], "an image is red first, whatever the package takes"
