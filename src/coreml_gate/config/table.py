"""The form that every table of the configuration shares."""

from pydantic import BaseModel, ConfigDict


def kebab(name: str) -> str:
    """A key as it is written in TOML."""
    return name.replace("_", "-")


class Table(BaseModel):
    """A TOML table: frozen, written with hyphens, and without room for an unknown key."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=kebab,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )
