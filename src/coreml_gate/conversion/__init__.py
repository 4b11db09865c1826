"""Converting a PyTorch source to Core ML packages with coremltools."""

from coreml_gate.conversion import quiet  # first: coremltools logs about versions while it is imported
from coreml_gate.conversion.cache import ConversionCache
from coreml_gate.conversion.conversion import Conversion
from coreml_gate.conversion.pipeline import convert

__all__ = ["Conversion", "ConversionCache", "convert", "quiet"]
