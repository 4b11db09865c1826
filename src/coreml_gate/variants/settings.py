"""Compression settings by short names, for the command line and the table."""

import re
from typing import Any, Final

from coreml_gate.config import Compression, ModelConfig
from coreml_gate.errors import UsageError

SETTINGS: Final = (
    "linear-int8",
    "palettize-8",
    "palettize-6",
    "palettize-4",
    "palettize-2",
    "palettize-1",
    "prune-50",
    "prune-75",
)
"""Settings for every deployment target from iOS16 on."""
SETTINGS_OF_IOS18: Final = (
    "palettize-3",
    "linear-int4",
    "linear-int4-block-32",
    "palettize-4-group-16",
    "palettize-2-group-16",
)
"""Settings that need iOS18: scales and palettes for a part of a channel, 4-bit integers, 3-bit palettes."""
_BITS: Final = (1, 2, 3, 4, 6, 8)
_FORM: Final = re.compile(
    r"(?P<linear>linear-int[48])(-block-(?P<block>[1-9]\d*))?"
    r"|palettize-(?P<bits>\d)(-group-(?P<group>[1-9]\d*))?"
    r"|prune-(?P<percent>[1-9]\d?)"
)


def settings_for(model: ModelConfig) -> tuple[str, ...]:
    """The settings for the model's deployment target."""
    return (*SETTINGS, *SETTINGS_OF_IOS18) if model.deployment_target == "iOS18" else SETTINGS


def parse_setting(text: str) -> Compression:
    """``palettize-4-group-16`` as a table of the configuration."""
    found = _FORM.fullmatch(text)
    if found is None or (found["bits"] is not None and int(found["bits"]) not in _BITS):
        raise UsageError(
            f"`--settings` names `{text}`, which is not a compression setting.",
            "write `linear-int8`, `linear-int4-block-32`, `palettize-N` (N = 1, 2, 3, 4, 6 or 8), "
            "`palettize-4-group-16`, or `prune-N` (N per cent of the weights).",
        )
    if found["linear"] is not None:
        return Compression.model_validate({"method": found["linear"], **_block(found["block"])})
    if found["percent"] is not None:
        return Compression(method="prune", sparsity=int(found["percent"]) / 100)
    return Compression.model_validate(
        {"method": "palettize", "bits": int(found["bits"]), **_block(found["group"])}
    )


def as_toml(options: Compression) -> str:
    """The line for the configuration, with the keys that are set."""
    written = {
        field.alias or name: getattr(options, name)
        for name, field in Compression.model_fields.items()
        if name in options.model_fields_set
    }
    parts = (
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in written.items()
    )
    return f"compress = {{ {', '.join(parts)} }}"


def _block(size: str | None) -> dict[str, Any]:
    return {} if size is None else {"block_size": int(size)}
