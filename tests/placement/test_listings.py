"""How far does the prediction agree with Core ML's own published plans? The page on Macs says the counts."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import coremltools as ct
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it
from coremltools.converters.mil.mil import types

from coreml_gate.mil.package import read_package
from coreml_gate.placement import predict_placement
from tests.placement.listings import Listing, listings

LISTINGS = tuple(listings())
PAGE = Path(__file__).parents[2] / "docs" / "macos.md"
Agreement = Literal[
    "ruled out, as Core ML did", "left open, on the engine", "left open, off it", "wrongly ruled out"
]


@pytest.fixture(scope="module")
def agreements(tmp_path_factory: pytest.TempPathFactory) -> dict[Listing, Agreement]:
    folder = tmp_path_factory.mktemp("listings")
    return {each: agreement(each, folder / f"{index}.mlpackage") for index, each in enumerate(LISTINGS)}


def agreement(listing: Listing, path: Path) -> Agreement:
    element = types.fp16 if listing.half else types.fp32
    specs = [mb.TensorSpec(shape, element) for shape in listing.shapes]
    program = mb.program(input_specs=specs, opset_version=ct.target.iOS18)(listing.body)
    options: dict[str, Any] = {"minimum_deployment_target": ct.target.iOS18, "skip_model_load": True}
    precision = ct.precision.FLOAT16 if listing.half else ct.precision.FLOAT32
    ct.convert(program, compute_precision=precision, **options).save(str(path))
    placement = predict_placement(read_package(path), "ALL")
    off = {each.operation_type for each in placement.off_engine}
    if listing.type in off:
        return "wrongly ruled out" if listing.engine else "ruled out, as Core ML did"
    return "left open, on the engine" if listing.engine else "left open, off it"


def test_no_operation_that_core_ml_planned_for_the_neural_engine_is_ruled_out(
    agreements: dict[Listing, Agreement],
) -> None:
    assert [each.what for each, found in agreements.items() if found == "wrongly ruled out"] == []


def test_what_the_rules_miss_is_known(agreements: dict[Listing, Agreement]) -> None:
    missed = [each.what for each, found in agreements.items() if found == "left open, off it"]
    assert missed == ["`linear` 4096 to 4096, one row", "`matmul` (4, 4)"]


def test_the_page_says_the_counts(agreements: dict[Listing, Agreement]) -> None:
    counts = Counter(agreements.values())
    page = PAGE.read_text(encoding="utf-8")
    for what in (
        "ruled out, as Core ML did",
        "left open, on the engine",
        "left open, off it",
        "wrongly ruled out",
    ):
        assert f"| {what} | {counts[what]} |" in page  # type: ignore[index]
    sources = {each.source for each in LISTINGS}
    assert f"{len(LISTINGS)} operations of {len(sources)} public listings" in page
    assert all(source in page for source in sources)
