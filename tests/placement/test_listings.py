"""How far does the prediction agree with Core ML's own published plans? The page on Macs says the counts."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import coremltools as ct
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 - as coremltools' documents write it
from coremltools.converters.mil.mil import Function, Program, types

from coreml_gate.mil.package import read_package
from coreml_gate.placement import predict_placement
from tests.placement.listings import Listing, listings

LISTINGS = tuple(listings())
PAGE = Path(__file__).parents[2] / "docs" / "macos.md"
Agreement = Literal[
    "ruled out, as Core ML did", "left open, on the engine", "left open, off it", "wrongly ruled out"
]
AGREEMENTS: Mapping[tuple[bool, bool], Agreement] = {
    (True, False): "ruled out, as Core ML did",
    (False, True): "left open, on the engine",
    (False, False): "left open, off it",
    (True, True): "wrongly ruled out",
}
"""By whether a rule rules an operation out, and whether Core ML planned it for the Neural Engine."""


@pytest.fixture(scope="module")
def agreements(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Agreement]:
    """By listing and operation; one program of float16 and one of float32 hold all listings."""
    folder = tmp_path_factory.mktemp("listings")
    off: set[str] = set()
    for half, element in ((True, types.fp16), (False, types.fp32)):
        numbered = {index: each for index, each in enumerate(LISTINGS) if each.half == half}
        off |= ruled_out(numbered, element, folder / f"{element.__name__}.mlpackage")
    return {
        f"{listing.what}: {operation}": AGREEMENTS[f"of{index}_{operation}" in off, engine]
        for index, listing in enumerate(LISTINGS)
        for operation, engine in listing.engine.items()
    }


def ruled_out(numbered: Mapping[int, Listing], element: Any, path: Path) -> set[str]:
    """The names of the operations that the rules keep off the Neural Engine."""
    inputs = {
        f"x{index}_{number}": mb.placeholder(shape, element)
        for index, listing in numbered.items()
        for number, shape in enumerate(listing.shapes)
    }
    with Function(inputs, opset_version=ct.target.iOS18) as function:
        function.set_outputs([output(function, index, listing) for index, listing in numbered.items()])
    program = Program()
    program.add_function("main", function)
    precision = ct.precision.FLOAT16 if element is types.fp16 else ct.precision.FLOAT32
    options: dict[str, Any] = {
        "minimum_deployment_target": ct.target.iOS18,
        "skip_model_load": True,
        "pass_pipeline": ct.PassPipeline.EMPTY,
    }
    ct.convert(program, compute_precision=precision, **options).save(str(path))
    off = predict_placement(read_package(path), "ALL").off_engine
    return {each.operation.removesuffix("_0") for each in off}  # of several outputs the first has a number


def output(function: Any, index: int, listing: Listing) -> Any:
    inputs = [function.inputs[f"x{index}_{number}"] for number in range(len(listing.shapes))]
    return listing.body(lambda operation: f"of{index}_{operation}", *inputs)


def test_no_operation_that_core_ml_planned_for_the_neural_engine_is_ruled_out(
    agreements: dict[str, Agreement],
) -> None:
    assert [what for what, found in agreements.items() if found == "wrongly ruled out"] == []


def test_what_the_rules_miss_is_known(agreements: dict[str, Agreement]) -> None:
    missed = [what for what, found in agreements.items() if found == "left open, off it"]
    assert missed == [
        "`conv` 576 to 192, one place: conv",
        "`conv` 576 to 576, one place: conv",
        "`conv` 576 to 1536, one place: conv",
        "`conv` 576 to 4096, one place: conv",
        "`conv` 4096 to 576, one place: conv",
        "softmax alone: softmax",
        "no matmul: layer_norm",
        "no matmul: gelu",
        "no matmul: mul",
        "no matmul: softmax",
        "`conv` of 64 channels, 8 bits: conv",
        "`matmul`: matmul",
    ]


def test_the_page_says_the_counts(agreements: dict[str, Agreement]) -> None:
    counts = Counter(agreements.values())
    page = PAGE.read_text(encoding="utf-8")
    for what in AGREEMENTS.values():
        assert f"| {what} | {counts[what]} |" in page
    sources = {each.source for each in LISTINGS}
    assert f"{len(agreements)} operations of {len(sources)} public listings" in page
    assert all(source in page for source in sources)
