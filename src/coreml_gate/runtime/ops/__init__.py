"""The operations, grouped as coremltools groups them; importing this package fills the registry."""

from coreml_gate.runtime.ops import (
    activation,
    conv,
    elementwise_binary,
    elementwise_unary,
    linear,
    normalization,
    pool,
    reduction,
    states,
)
from coreml_gate.runtime.registry import REGISTRY, find

GROUPS = (
    activation,
    conv,
    elementwise_binary,
    elementwise_unary,
    linear,
    normalization,
    pool,
    reduction,
    states,
)

__all__ = ["GROUPS", "REGISTRY", "find"]
