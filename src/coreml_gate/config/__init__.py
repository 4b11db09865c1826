"""What a user writes: the configuration, its defaults and its limits."""

from coreml_gate.config.limits import Limits
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
    "Dimension",
    "GateOptions",
    "ImageInput",
    "Limits",
    "ModelConfig",
    "ModelInput",
    "ModelOptions",
    "ModelVariant",
]
