"""Which torch operations can be converted, and for which deployment targets does a model convert?"""

from coreml_gate.support.report import ModelSupport, OperationSupport, TargetSupport

__all__ = ["ModelSupport", "OperationSupport", "TargetSupport"]
