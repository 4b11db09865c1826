"""Do the experimental debugging tools of coremltools, which predict with changed copies of a model, work?"""

import asyncio
from collections.abc import Callable
from typing import Any

import coremltools
import numpy as np
import pytest
from coremltools.converters.mil import Builder
from coremltools.models.ml_program.experimental.debugging_utils import (
    MLModelComparator,
    MLModelInspector,
    MLModelValidator,
)

INPUTS = {"x": np.array([1.0, 12.0], np.float32)}  # exp(12) lies beyond half precision


@pytest.fixture(scope="module")
def models(convert: Callable[..., Any]) -> dict[str, Any]:
    """``log(exp(x))`` in both precisions."""

    def body(x: Any) -> Any:
        return Builder.log(x=Builder.exp(x=x, name="grown"), name="y")

    precisions = (coremltools.precision.FLOAT32, coremltools.precision.FLOAT16)
    return {precision.value: convert(body, (2,), compute_precision=precision) for precision in precisions}


def test_inspector_gives_intermediate_values(models: dict[str, Any]) -> None:
    inspector = MLModelInspector(models["float32"])
    outputs = asyncio.run(inspector.retrieve_outputs(inputs=INPUTS, output_names=["grown", "y"]))
    np.testing.assert_allclose(outputs["grown"], np.exp(INPUTS["x"]), rtol=1e-6)
    np.testing.assert_allclose(outputs["y"], INPUTS["x"], rtol=1e-6)


def test_validator_finds_the_overflow(models: dict[str, Any]) -> None:
    validator = MLModelValidator(models["float16"])
    failing = asyncio.run(validator.find_failing_ops_with_infinite_output(inputs=INPUTS))
    assert [operation.type for operation in failing] == ["exp"]


def test_comparator_finds_the_operation_that_differs(models: dict[str, Any]) -> None:
    def close(_: Any, reference: Any, target: Any) -> bool:
        return bool(np.allclose(reference, target, rtol=1e-2))

    comparator = MLModelComparator(models["float32"], models["float16"])
    failing = asyncio.run(comparator.find_failing_ops(INPUTS, close))
    assert [operation.type for operation in failing] == ["exp"]
