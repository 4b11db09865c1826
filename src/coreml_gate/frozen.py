"""Frozen documents: the form that all share, and the one way to change a value."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, computed_field

Value = TypeVar("Value")
AnyModel = TypeVar("AnyModel", bound=BaseModel)


class FrozenModel(BaseModel):
    """A document, or a part of one, that crosses a border: frozen, closed, finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def computed(function: Callable[[Any], Value]) -> cached_property[Value]:
    """A value that follows from a document's fields: computed once, and written like a field."""
    return computed_field(cached_property(function))


def changed(value: AnyModel, **changes: Any) -> AnyModel:  # noqa: ANN401 - the model's fields say what each takes
    """The same value with other fields, validated as if it had been read from a file.

    pydantic's ``model_copy`` with ``update`` checks neither names nor values. Fields that were not set stay
    so: what a table of the configuration inherits depends on it. Raises :class:`TypeError` for a field that
    does not exist, and pydantic's ``ValidationError`` for a value that the field does not take.
    """
    model = type(value)
    if unknown := sorted(changes.keys() - model.model_fields.keys()):
        raise TypeError(f"{model.__name__} has no field `{unknown[0]}`")
    kept = {name: getattr(value, name) for name in value.model_fields_set}
    return model.model_validate(kept | changes, by_alias=False, by_name=True)
