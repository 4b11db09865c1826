"""What a model inherits from ``[gate]``."""

from typing import TypeVar

from coreml_gate.config.options import GateOptions, ModelConfig, ModelOptions, ModelVariant
from coreml_gate.config.table import Table
from coreml_gate.frozen import changed

TAKEN_AS_IT_IS = ("precision", "keep_fp32", "conversion", "compress", "converter")
"""Options on how the gate converts, which do not apply to a package from elsewhere."""
OWN_CONVERSION = ("convert", "package", "build")
"""Options on where the team's own package comes from."""

AnyTable = TypeVar("AnyTable", bound=Table)


def is_package(source: str) -> bool:
    """Whether the source is already converted."""
    return source.rstrip("/").endswith(".mlpackage")


def comes_converted(model: ModelConfig) -> bool:
    """Whether the gate does not convert: the source is a package, or the team converts it."""
    return is_package(model.source) or model.convert is not None or model.package is not None


def inherit(model: ModelConfig, gate: GateOptions) -> ModelConfig:
    """The model with the options of ``[gate]`` that it does not set; limits are inherited key by key."""
    left_out = TAKEN_AS_IT_IS if comes_converted(model) else ()
    inherited = {
        name: getattr(gate, name)
        for name in ModelOptions.model_fields
        if name in gate.model_fields_set - model.model_fields_set and name not in left_out
    }
    inherited["limits"] = _overlay(gate.limits, model.limits)
    return changed(model, **inherited)


def configured(model: ModelConfig, variant: ModelVariant) -> ModelConfig:
    """The variant as a model of its own, with the model's options, and limits key by key, where it sets none.

    The gate always converts it, even if the team converts the model.
    """
    own = {name: getattr(variant, name) for name in variant.model_fields_set}
    own |= {name: ModelConfig.model_fields[name].default for name in OWN_CONVERSION}
    own |= {"limits": _overlay(model.limits, variant.limits), "variant": ()}
    return changed(model, **own)


def _overlay(below: AnyTable, above: AnyTable) -> AnyTable:
    """Both tables merged: a key of ``above`` takes precedence, and nested tables are merged in turn."""
    laid_over = {
        name: _overlay_value(getattr(below, name), getattr(above, name)) for name in above.model_fields_set
    }
    return changed(below, **laid_over)


def _overlay_value(below: object, above: object) -> object:
    if isinstance(below, Table) and isinstance(above, Table):
        return _overlay(below, above)
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: _overlay_value(below.get(key), value) for key, value in above.items()}}
    return above
