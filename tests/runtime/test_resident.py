"""A loaded package holds no page of its weight file, and once it has run, none that it packed."""

from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder

from coreml_gate.runtime import load
from tests.resident import resident_bytes
from tests.rules.converted import FLOAT, HALF, Program

WIDTH = 1024


def layers(x: Any) -> Any:
    """Two matrices of 4 MB in float32 with a relu between them."""
    weight = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    return Builder.linear(x=Builder.relu(x=Builder.linear(x=x, weight=weight)), weight=weight + 1)


@pytest.mark.parametrize(("precision", "mode"), [(FLOAT, "fp32"), (HALF, "fp16")])
def test_a_package_that_was_loaded_holds_no_page_of_its_weights(precision: Any, mode: Any) -> None:
    package = Program(precision).of(layers, (1, WIDTH)).package
    assert package is not None
    model = load(package, mode=mode)
    assert model.function.block.operations
    assert resident_bytes(package) < 0.2 * package.weight_bytes
