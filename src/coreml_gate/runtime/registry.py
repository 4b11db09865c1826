"""The table of MIL operations: the function and the rounding for each type and opset."""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType, TypeVar

from torch import Tensor

from coreml_gate.untyped import MilValue

Ints = tuple[int, ...]
Bools = tuple[bool, ...]
Tensors = tuple[Tensor, ...]
Gates = NewType("Gates", Tensor)  # an LSTM's four gates, in torch's order: input, forget, cell, output
Number = int | float  # a scalar in its own type, so that an integer stays an integer
Body = Callable[..., MilValue]
BlockFunction = Callable[..., tuple[MilValue, ...]]
_F = TypeVar("_F", bound=Body)
_SUFFIX = re.compile(r"(?P<type>\w+?)(?:_ios(?P<version>\d+))?")
REQUIRED = inspect.Parameter.empty


class Rounding(Enum):
    """Where an operation rounds half-precision values; every registration declares it."""

    EXACT = "moves values, or gives integers: nothing to round"
    ROUND = "computes in float32 and rounds its result once"
    STEPWISE = "runs other operations, each of which rounds by its own rule"


EXACT, ROUND, STEPWISE = Rounding.EXACT, Rounding.ROUND, Rounding.STEPWISE


@dataclass(frozen=True, slots=True)
class Parameter:
    """One MIL input: ``kind`` is the annotation without ``None``, the form in which the body takes it."""

    name: str
    kind: object
    default: MilValue


@dataclass(frozen=True, slots=True)
class Implementation:
    """The computation of one operation from opset ``since`` on.

    ``native``: the body is a single torch kernel which, on half tensors, computes in float32 and rounds once.
    ``neural_engine``: the body for the Neural Engine estimate, if the engine has another formula.
    ``products``: the result is a sum of products, which the engine accumulates wide. ``cuts``: a float result
    becomes an integer, toward zero, if integers are declared. ``constant``: the body if this operand is a
    constant, for which Core ML computes differently.
    """

    type: str
    since: int
    body: Body
    rounding: Rounding
    native: bool
    parameters: tuple[Parameter, ...]
    neural_engine: Body | None = None
    products: bool = False
    cuts: bool = False
    constant: Mapping[str, Body] = field(default_factory=dict)


REGISTRY: dict[str, dict[int, Implementation]] = {}
_FIRST_OPSET = 13


def operation(
    rounding: Rounding,
    *,
    native: bool = False,
    neural_engine: Body | None = None,
    products: bool = False,
    cuts: bool = False,
    constant: Mapping[str, Body] = types.MappingProxyType({}),
    table: dict[str, dict[int, Implementation]] = REGISTRY,
) -> Callable[[_F], _F]:
    """Register the decorated function under its name; a suffix ``_ios17`` means from that opset on."""

    def register(body: _F) -> _F:
        match = _SUFFIX.fullmatch(body.__name__.rstrip("_"))
        if match is None:
            raise ValueError(body.__name__)
        since = int(match["version"] or _FIRST_OPSET)
        entry = Implementation(
            type=match["type"],
            since=since,
            body=body,
            rounding=rounding,
            native=native,
            parameters=_parameters(body),
            neural_engine=neural_engine,
            products=products,
            cuts=cuts,
            constant=constant,
        )
        table.setdefault(entry.type, {})[since] = entry
        return body

    return register


def find(
    operation_type: str, opset: int, table: Mapping[str, Mapping[int, Implementation]] = REGISTRY
) -> Implementation | None:
    """The implementation that applies at this opset, or ``None`` if the operation is unknown."""
    versions: Mapping[int, Implementation] = table.get(operation_type, {})
    return versions[max(valid)] if (valid := [since for since in versions if since <= opset]) else None


def _parameters(body: Body) -> tuple[Parameter, ...]:
    hints = typing.get_type_hints(body)
    return tuple(
        Parameter(item.name, _kind(hints[item.name]), item.default)
        for item in inspect.signature(body).parameters.values()
    )


def _kind(hint: object) -> object:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = tuple(item for item in typing.get_args(hint) if item is not types.NoneType)
        return kinds[0] if len(kinds) == 1 else Number
    return hint
