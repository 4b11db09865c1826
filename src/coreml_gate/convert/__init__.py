"""Converting a PyTorch source to Core ML packages with coremltools."""

from coreml_gate.convert import quiet  # first: coremltools logs about versions while it is imported
from coreml_gate.convert.cache import ConversionCache
from coreml_gate.convert.conversion import Conversion
from coreml_gate.convert.pipeline import convert

__all__ = ["Conversion", "ConversionCache", "convert", "quiet"]
