"""The base class of all frozen documents, and the one way to change a value of one."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

Value = TypeVar("Value")
AnyModel = TypeVar("AnyModel", bound=BaseModel)


class FrozenModel(BaseModel):
    """A document, or a part of one, that crosses a border: immutable, without unknown keys, finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __deepcopy__(self, known: dict[int, Any] | None = None) -> Self:
        """Itself: pydantic copies a default for each document that leaves it out."""
        return self


@contextmanager
def without_collecting() -> Iterator[None]:
    """Switch garbage collection off: frozen values make no cycles, and looking for them takes time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def computed(function: Callable[[Any], Value]) -> cached_property[Value]:
    """A value derived from a document's fields: computed once, and written like a field."""
    return computed_field(cached_property(function))


def first_problem(error: ValidationError) -> str:
    """The first error of a document: ``Field required at `models.0.name` (2 problems in all)``."""
    first, count = error.errors()[0], error.error_count()
    where = ".".join(map(str, first["loc"])) or "the top"
    return f"{first['msg']} at `{where}` ({count} {'problem' if count == 1 else 'problems'} in all)"


def changed(value: AnyModel, **changes: Any) -> AnyModel:  # noqa: ANN401 - the model's fields say what each takes
    """A copy with some fields changed, validated like a document that is read from a file.

    pydantic's ``model_copy(update=...)`` checks neither names nor values. Fields that were not set stay
    unset, because a table of the configuration inherits those. Raises :class:`TypeError` for an unknown
    field, and pydantic's ``ValidationError`` for a value that the field does not take.
    """
    model = type(value)
    if unknown := sorted(changes.keys() - model.model_fields.keys()):
        raise TypeError(f"{model.__name__} has no field `{unknown[0]}`")
    kept = {name: getattr(value, name) for name in value.model_fields_set}
    return model.model_validate(kept | changes, by_alias=False, by_name=True)
