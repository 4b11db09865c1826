"""Which operations can the Neural Engine not run? A prediction by documented rules, without a Mac."""

from coreml_gate.placement.predict import predict_placement

__all__ = ["predict_placement"]
