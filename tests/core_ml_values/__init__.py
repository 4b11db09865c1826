"""Values that Core ML gave on real devices, each with its source, unit and printed precision."""

from typing import Final

from tests.core_ml_values import (
    elementwise,
    indices_and_shapes,
    neural_engine,
    reductions_and_products,
    tests_of_coremltools,
    tests_of_coremltools_on_images,
    tests_of_onnx_runtime,
    tests_of_onnx_runtime_on_convolutions,
    tests_of_onnx_runtime_on_numbers,
    tests_of_onnx_runtime_on_shapes,
)
from tests.core_ml_values.published import Published

CASES: Final[tuple[Published, ...]] = (
    *elementwise.CASES,
    *reductions_and_products.CASES,
    *indices_and_shapes.CASES,
    *neural_engine.CASES,
    *tests_of_onnx_runtime.CASES,
    *tests_of_onnx_runtime_on_convolutions.CASES,
    *tests_of_onnx_runtime_on_numbers.CASES,
    *tests_of_onnx_runtime_on_shapes.CASES,
    *tests_of_coremltools.CASES,
    *tests_of_coremltools_on_images.CASES,
)
