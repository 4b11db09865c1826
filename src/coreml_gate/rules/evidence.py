"""Addresses that several rules name as their evidence."""

from typing import Final

MIL_TESTS: Final = "https://github.com/apple/coremltools/tree/9.0/coremltools/converters/mil/mil/ops/tests"
FRONT_END_TESTS: Final = (
    "https://github.com/apple/coremltools/tree/9.0/coremltools/converters/mil/frontend/torch/test"
)
TENSORFLOW_TESTS: Final = (
    "https://github.com/apple/coremltools/tree/9.0/coremltools/converters/mil/frontend/tensorflow/test"
)
CONVERTER_PASSES: Final = (
    "https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.passes.defs.html"
)
TYPED_EXECUTION: Final = "https://apple.github.io/coremltools/docs-guides/source/typed-execution.html"
CLASSIFIERS: Final = "https://apple.github.io/coremltools/docs-guides/source/classifiers.html"
NEURAL_ENGINE_TRANSFORMERS: Final = "https://machinelearning.apple.com/research/neural-engine-transformers"
CHROMIUM: Final = "https://chromium.googlesource.com/chromium/src"
