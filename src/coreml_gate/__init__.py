"""coreml-gate: a pull-request gate for PyTorch models that ship to iPhones."""

__version__ = "0.1.0"
