"""Reads a block backwards to find out whether its operations have a form that the runtime recognises."""

from collections.abc import Mapping

from coreml_gate.mil.index import constants_in, producers_in
from coreml_gate.mil.ir import Argument, Block, Constant, Operation, TensorType
from coreml_gate.runtime.arguments import Known
from coreml_gate.untyped import MilValue


class OtherFormError(Exception):
    """The operations have another form."""


def demand(condition: bool) -> None:  # noqa: FBT001  # reads as a sentence
    """Raise :class:`OtherFormError` unless the form has this property."""
    if not condition:
        raise OtherFormError


class Wiring:
    """The operations by the values that they give, and the constants; a missing one means another form."""

    def __init__(self, block: Block, known: Mapping[str, Known]) -> None:
        self.known = {**known, **constants(block)}
        self.makers = producers_in(block.operations)

    def maker(self, name: Argument) -> Operation | None:
        """The operation that gives a value."""
        return self.makers.get(name) if isinstance(name, str) else None

    def made(self, name: Argument, kind: str) -> Operation:
        """The operation of this kind that gives ``name``."""
        made = self.maker(name)
        if made is None or made.type != kind:
            raise OtherFormError
        return made

    def behind_casts(self, name: Argument) -> Argument:
        """The value before one or more casts."""
        made = self.maker(name)
        return name if made is None or made.type != "cast" else self.behind_casts(argument(made, "x"))

    def values(self, name: Argument) -> list[MilValue]:
        """The elements of a constant."""
        known = self.known.get(name) if isinstance(name, str) else name
        if not isinstance(known, Constant):
            raise OtherFormError
        return list(known.array.reshape(-1).tolist())

    def demand_values(self, operation: Operation, wanted: Mapping[str, list[MilValue]]) -> None:
        """Demand these elements of the parameters, all of which coremltools writes explicitly."""
        for parameter, values in wanted.items():
            demand(self.values(argument(operation, parameter)) == values)


def constants(block: Block) -> dict[str, Known]:
    """The constants that a block's own ``const`` operations name."""
    return dict(constants_in(block.operations))


def argument(operation: Operation, parameter: str) -> Argument:
    """The one argument of a parameter."""
    given = operation.inputs.get(parameter, ())
    if len(given) != 1:
        raise OtherFormError
    return given[0]


def dtype(value: Operation | Constant) -> str:
    """Element type of a constant or of an operation's first output; empty if it is not a tensor."""
    kind = value.type if isinstance(value, Constant) else value.outputs[0].type
    return kind.dtype if isinstance(kind, TensorType) else ""
