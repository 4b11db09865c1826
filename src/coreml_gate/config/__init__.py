"""What a user writes: the configuration, its defaults and its limits."""

from coreml_gate.config.limits import (
    CostLimits,
    EvaluateLimits,
    InterfaceLimits,
    LatencyLimits,
    Limits,
    MemoryLimits,
    OnDeviceLimits,
    ParityLimits,
    PrecisionLimits,
    SizeLimits,
)
from coreml_gate.config.options import (
    Compression,
    Config,
    Dimension,
    GateOptions,
    ImageInput,
    ModelConfig,
    ModelInput,
    ModelOptions,
    ModelVariant,
)

__all__ = [
    "Compression",
    "Config",
    "CostLimits",
    "Dimension",
    "EvaluateLimits",
    "GateOptions",
    "ImageInput",
    "InterfaceLimits",
    "LatencyLimits",
    "Limits",
    "MemoryLimits",
    "ModelConfig",
    "ModelInput",
    "ModelOptions",
    "ModelVariant",
    "OnDeviceLimits",
    "ParityLimits",
    "PrecisionLimits",
    "SizeLimits",
]
