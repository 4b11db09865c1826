"""Converting a PyTorch source to Core ML packages with coremltools."""

from coreml_gate.convert import quiet  # first: coremltools logs about versions while it is imported
from coreml_gate.convert.cache import ConversionCache, convert_cached
from coreml_gate.convert.pipeline import Conversion, convert

__all__ = ["Conversion", "ConversionCache", "convert", "convert_cached", "quiet"]
