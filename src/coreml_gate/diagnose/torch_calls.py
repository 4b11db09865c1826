"""The arguments of one torch operation by name, with the facts about tensors that preconditions read."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

Argument = object
"""A constant, an :class:`Operand`, or a list of both."""
_INTEGER_CODES: Final = frozenset(range(5))
"""The codes of torch's integer types in traced graphs: uint8, int8, int16, int32, int64."""


@dataclass(frozen=True)
class Operand:
    """A tensor when an operation read it; magnitudes are those of its finite elements."""

    integral: bool
    """Whether the elements are integers or booleans."""
    boolean: bool
    least: float
    greatest: float
    smallest: float
    """The least magnitude other than zero; infinite if there is none."""
    zero: bool
    """Whether an element is exactly zero."""
    infinite: bool
    view: bool
    """Whether it shares the storage of another tensor."""

    @property
    def magnitude(self) -> float:
        """The greatest magnitude."""
        return max(abs(self.least), abs(self.greatest))


@dataclass(frozen=True)
class TorchArguments:
    """One call, with its arguments by the parameters of torch's own schema; omitted ones are absent."""

    by_name: Mapping[str, Argument]

    def constant(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  # constants of any type
        """A constant argument; the default if it is omitted or a tensor."""
        value = self.by_name.get(name, default)
        return default if isinstance(value, Operand) else value

    def operand(self, name: str = "") -> Operand | None:
        """A tensor by its parameter, or the first one."""
        if name:
            value = self.by_name.get(name)
            return value if isinstance(value, Operand) else None
        return next(self.operands(), None)

    def operands(self) -> Iterator[Operand]:
        """All tensors, in the order of the schema."""
        for value in self.by_name.values():
            yield from (item for item in _flat(value) if isinstance(item, Operand))

    def asks_for_integers(self) -> bool:
        """Whether the argument ``dtype`` is an integer type."""
        dtype = self.by_name.get("dtype")
        if isinstance(dtype, torch.dtype):
            return not dtype.is_floating_point and not dtype.is_complex and dtype is not torch.bool
        return isinstance(dtype, int) and not isinstance(dtype, bool) and dtype in _INTEGER_CODES


Fits = Callable[[TorchArguments], bool]


def arguments_of(schema: Any, given: Sequence[Any], named: Mapping[str, Any]) -> TorchArguments:  # noqa: ANN401  # untyped in torch
    """The arguments of a call that is about to run, by the names of ``schema``."""
    parameters = [argument.name for argument in schema.arguments] if schema is not None else []
    names = [*parameters[: len(given)], *(str(place) for place in range(len(parameters), len(given)))]
    pairs = [*zip(names, given, strict=True), *named.items()]
    return TorchArguments({name: _seen(value) for name, value in pairs})


def _seen(value: Any) -> Argument:  # noqa: ANN401  # whatever torch accepts
    if isinstance(value, Tensor):
        return operand_of(value)
    if isinstance(value, list | tuple):
        return tuple(_seen(item) for item in value)
    return value


def operand_of(tensor: Tensor) -> Operand:
    """The recorded facts of a tensor, in one pass over it."""
    plain = tensor.detach().dequantize() if tensor.is_quantized else tensor.detach()
    values = plain.reshape(-1)
    values = values.abs() if values.is_complex() else values.double()
    finite = values[values.isfinite()]
    sizes = finite.abs()
    apart = sizes[sizes > 0]
    return Operand(
        integral=not tensor.is_floating_point() and not tensor.is_complex(),
        boolean=tensor.dtype is torch.bool,
        least=float(finite.min()) if finite.numel() else 0.0,
        greatest=float(finite.max()) if finite.numel() else 0.0,
        smallest=float(apart.min()) if apart.numel() else math.inf,
        zero=bool((values == 0).any()),
        infinite=bool(values.isinf().any()),
        view=tensor._is_view(),  # noqa: SLF001  # torch offers no public way
    )


def _flat(value: Argument) -> Iterator[Argument]:
    if isinstance(value, tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value
