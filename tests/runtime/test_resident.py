"""A loaded package holds no page of its weight file, and once it has run, none that it packed."""

from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder

from coreml_gate.mil.to_float32 import widened
from coreml_gate.mil.to_half import HalfConstants, narrowed
from coreml_gate.runtime import Model, load
from tests.resident import resident_bytes
from tests.rules.converted import FLOAT, HALF, Program

WIDTH = 1024


def layers(x: Any) -> Any:
    """Two matrices of 4 MB in float32 with a relu between them."""
    weight = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    return Builder.linear(x=Builder.relu(x=Builder.linear(x=x, weight=weight)), weight=weight + 1)


def convolutions(x: Any) -> Any:
    """Two kernels of 2 MB in float32 with a relu between them, for which their bounds are sought."""
    weight = np.random.default_rng(0).standard_normal((240, 240, 3, 3)).astype(np.float32)
    x = Builder.relu(x=Builder.conv(x=x, weight=weight, pad_type="same"))
    return Builder.relu(x=Builder.conv(x=x, weight=weight + 1, pad_type="same"))


@pytest.mark.parametrize(("precision", "mode"), [(FLOAT, "fp32"), (HALF, "fp16")])
@pytest.mark.parametrize(("build", "shape"), [(layers, (1, WIDTH)), (convolutions, (1, 240, 40, 40))])
def test_a_package_that_was_loaded_holds_no_page_of_its_weights(
    build: Any, shape: Any, precision: Any, mode: Any
) -> None:
    package = Program(precision).of(build, shape).package
    assert package is not None
    model = load(package, mode=mode)
    assert model.function.block.operations
    assert resident_bytes(package) < 0.2 * package.weight_bytes


@pytest.mark.parametrize("mode", ["fp32", "neural-engine"])
def test_a_model_that_keeps_no_weight_holds_no_page_once_it_has_run(mode: Any) -> None:
    package = Program(FLOAT).of(layers, (1, WIDTH)).package
    assert package is not None
    model = Model(package, package.function(), package.interface, mode, keeps=False)
    (feature,) = model.interface.inputs
    model.predict({feature.name: np.ones((1, WIDTH), np.float32)})
    assert resident_bytes(package) < 0.2 * package.weight_bytes


def test_a_program_narrowed_or_widened_holds_no_page_of_the_one_it_was_made_from() -> None:
    wide, half = (Program(each).of(layers, (1, WIDTH)).package for each in (FLOAT, HALF))
    assert wide is not None
    assert half is not None
    names = frozenset(operation.name for operation in wide.function().block.operations)
    made = [narrowed(wide.function(), names, HalfConstants()), widened(half).function()]
    assert all(each.block.operations for each in made)
    for package in (wide, half):
        assert resident_bytes(package) < 0.2 * package.weight_bytes
