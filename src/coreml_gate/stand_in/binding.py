"""Functions with the strictness of pybind11, for the native half that Python calls.

Every parameter is positional, none has a default, and an argument of another type is a ``TypeError``.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Final, TypeVar, cast

from coreml_gate.untyped import CoreMlObject

Taken = type | UnionType
Function = TypeVar("Function", bound=Callable[..., CoreMlObject])
ANY: Final = object
"""pybind11's ``object``: any Python value."""


def bound(*types: Taken, static: bool = False) -> Callable[[Function], Function]:
    """Decorates a method (or with ``@staticmethod`` a function) that takes exactly these types."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def strict(*given: CoreMlObject, **named: CoreMlObject) -> CoreMlObject:
            check(function.__name__, types, given if static else given[1:], named)
            return function(*given)

        strict.types = types  # type: ignore[attr-defined]
        return cast("Function", strict)

    return decorate


def check(name: str, types: Sequence[Taken], given: Sequence[object], named: Mapping[str, object]) -> None:
    """Raise pybind11's ``TypeError`` unless the arguments match in number and type."""
    if not named and len(given) == len(types) and all(map(_fits, given, types)):
        return
    wanted = ", ".join(f"arg{index}: {_name(type_)}" for index, type_ in enumerate(types))
    invoked = ", ".join([*map(repr, given), *(f"{key}={value!r}" for key, value in named.items())])
    raise TypeError(
        f"{name}(): incompatible function arguments. The following argument types are supported:\n"
        f"    1. ({wanted})\n\nInvoked with: {invoked}"
    )


def _fits(value: object, type_: Taken) -> bool:
    """Whether a value matches a type; pybind11 also accepts bytes as text."""
    return isinstance(value, (str, bytes) if type_ is str else type_)


def _name(type_: Taken) -> str:
    return type_.__name__ if isinstance(type_, type) else str(type_)
