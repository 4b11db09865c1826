"""Weights as they come out of really compressed packages."""

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.optimize import coreml as cto
from torch import nn

from coreml_gate.conversion.quiet import quiet
from coreml_gate.mil.package import Package, read_package
from coreml_gate.package_facts.compression import compression_facts, sqnr
from coreml_gate.record import CompressionFacts
from tests.resident import resident_bytes

PALETTE = cto.OpPalettizerConfig(mode="kmeans", nbits=4)
INT8 = cto.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8")
BLOCKS = cto.OpLinearQuantizerConfig(
    mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=32
)


def net(width: int = 60) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 64)).eval()


def package(
    folder: Path, name: str, precision: Any, target: Any, compress: Any = None, width: int = 60
) -> Package:
    with quiet(), torch.no_grad():
        script = torch.jit.trace(net(width), torch.zeros(1, 64))  # type: ignore[no-untyped-call]
        model = ct.convert(
            script,
            inputs=[ct.TensorType(name="x", shape=(1, 64))],
            compute_precision=precision,
            minimum_deployment_target=target,
            skip_model_load=True,
        )
        if compress is not None:
            palettes = isinstance(compress, cto.OpPalettizerConfig)
            method = cto.palettize_weights if palettes else cto.linear_quantize_weights
            model = method(model, cto.OptimizationConfig(global_config=compress))
    model.save(str(folder / name))
    return read_package(folder / name)


def measured(folder: Path, compress: Any, target: Any = ct.target.iOS18) -> CompressionFacts | None:
    wide = package(folder, "wide.mlpackage", ct.precision.FLOAT32, target)
    return compression_facts(package(folder, "small.mlpackage", ct.precision.FLOAT16, target, compress), wide)


@pytest.mark.parametrize("target", [ct.target.iOS16, ct.target.iOS18])
def test_a_palette_of_four_bits_stores_four_bits_and_its_table(tmp_path: Path, target: Any) -> None:
    facts = measured(tmp_path, PALETTE, target)

    assert facts is not None
    first, second = facts.layers
    assert (first.shape, second.shape) == ((60, 64), (64, 60))
    assert first.compressed
    assert first.stored_bytes == 60 * 64 // 2 + 16 * 2 + (8 if target is ct.target.iOS16 else 0)
    assert first.sqnr is not None
    assert 18 < first.sqnr < 26  # 16 levels of a uniform distribution: 6.02 dB per bit


def test_eight_bits_are_twenty_four_decibels_better_than_four(tmp_path: Path) -> None:
    facts = measured(tmp_path, INT8)

    assert facts is not None
    assert facts.layers[0].sqnr == pytest.approx(48, abs=2)


def test_a_block_that_does_not_divide_leaves_its_layer_out(tmp_path: Path) -> None:
    facts = measured(tmp_path, BLOCKS)

    assert facts is not None
    assert [layer.compressed for layer in facts.layers] == [True, False]
    assert facts.layers[0].bits == pytest.approx(4.5)  # one half for 32 weights
    assert facts.layers[1].bits == 16
    assert facts.layers[1].sqnr is None


def test_a_package_without_compression_has_no_facts(tmp_path: Path) -> None:
    assert measured(tmp_path, None) is None


def test_the_ratio_is_of_powers() -> None:
    assert sqnr(np.array([3.0, 4.0]), np.array([3.0, 4.5])) == pytest.approx(20)
    assert sqnr(np.ones(3), np.ones(3)) is None


def test_no_page_of_either_package_stays_in_memory(tmp_path: Path) -> None:
    options: Any = {"target": ct.target.iOS18, "width": 4096}
    wide = package(tmp_path, "wide.mlpackage", ct.precision.FLOAT32, **options)
    shipped = package(tmp_path, "small.mlpackage", ct.precision.FLOAT16, compress=INT8, **options)
    assert compression_facts(shipped, wide) is not None
    for each in (wide, shipped):
        assert resident_bytes(each) < 0.2 * each.weight_bytes
