"""The operations, grouped as coremltools groups them; importing this package fills the registry."""

from coreml_gate.runtime.ops import (  # noqa: F401 - each enters its operations into the registry
    activation,
    classify,
    constexpr,
    control_flow,
    conv,
    elementwise_binary,
    elementwise_unary,
    image_resizing,
    linear,
    normalization,
    pool,
    quantization,
    random,
    recurrent,
    reduction,
    scatter_gather,
    states,
    suppression,
    tensor_operation,
    tensor_transformation,
    transformers,
)
from coreml_gate.runtime.registry import REGISTRY, find

__all__ = ["REGISTRY", "find"]
