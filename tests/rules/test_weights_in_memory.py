"""Rules look at all weights of a large model, and hold none of them when they have."""

from pathlib import Path
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder

from coreml_gate.mil.package import Package
from coreml_gate.rules.catalogue import find_matches
from tests.rules.converted import FLOAT, HALF, Program, facts

WIDTH = 1024


def layers(x: Any) -> Any:
    """Two matrices of 4 MB in float32; the second holds numbers that halves round to subnormal ones."""
    weight = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    return Builder.linear(x=Builder.linear(x=x, weight=weight), weight=weight * np.float32(1e-5))


def resident_bytes(package: Package) -> int:
    """Of the package's files that are mapped into this process."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split()[0] and not line.split()[0].endswith(":"):
            inside = str(package.path.resolve()) in line
        elif inside and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found


def test_no_weight_stays_in_memory_once_the_rules_have_looked() -> None:
    shipped, wide = (Program(each).of(layers, (1, WIDTH)).package for each in (HALF, FLOAT))
    assert shipped is not None
    assert wide is not None
    given = facts(shipped, wide)

    assert "subnormal-weights" in {match.rule for match in find_matches(given)}

    for package in (shipped, wide):
        assert resident_bytes(package) < 0.2 * package.weight_bytes
