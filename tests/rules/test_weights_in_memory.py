"""Rules look at all weights of a large model, and hold none of them when they have."""

from typing import Any

import numpy as np
from coremltools.converters.mil import Builder

from coreml_gate.rules.catalogue import find_matches
from tests.resident import resident_bytes
from tests.rules.converted import FLOAT, HALF, Program, facts

WIDTH = 1024


def layers(x: Any) -> Any:
    """Two matrices of 4 MB in float32; the second holds numbers that halves round to subnormal ones."""
    weight = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    return Builder.linear(x=Builder.linear(x=x, weight=weight), weight=weight * np.float32(1e-5))


def test_no_weight_stays_in_memory_once_the_rules_have_looked() -> None:
    shipped, wide = (Program(each).of(layers, (1, WIDTH)).package for each in (HALF, FLOAT))
    assert shipped is not None
    assert wide is not None
    given = facts(shipped, wide)

    assert "subnormal-weights" in {match.rule for match in find_matches(given)}

    for package in (shipped, wide):
        assert resident_bytes(package) < 0.2 * package.weight_bytes
