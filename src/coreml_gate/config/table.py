"""The base class of all tables of the configuration."""

from pydantic import ConfigDict

from coreml_gate.frozen import FrozenModel


def kebab(name: str) -> str:
    """A key as it is written in TOML."""
    return name.replace("_", "-")


class Table(FrozenModel):
    """A TOML table: frozen, with hyphenated keys, and without unknown keys."""

    model_config = ConfigDict(
        alias_generator=kebab,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )
