"""The range and error of every operation of a program, as stored in a Record."""

from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, NonNegativeFloat, model_validator

from coreml_gate.record.base import Part
from coreml_gate.record.diagnosis import HalfMode

MOST_OPERATIONS: Final = 1_000
"""Of a longer program, only the operation with the greatest error in each of this many sections is kept."""

Curve = Annotated[tuple[NonNegativeFloat | None, ...], Field(max_length=MOST_OPERATIONS)]
"""One figure per operation, in the program's order; ``None`` if not measured."""


class OperationProfile(Part):
    """The operations of the float32 twin in order, as columns of the same length."""

    FIELD: ClassVar[str] = "profile"

    operations: Annotated[tuple[str, ...], Field(max_length=MOST_OPERATIONS)] = ()
    """Names of the operations, without constants."""
    places: Annotated[tuple[str, ...], Field(max_length=MOST_OPERATIONS)] = ()
    """Such as ``models/net.py:12``; empty if unknown."""
    reaches: Curve = ()
    """Greatest magnitude over all samples, in float32."""
    errors: dict[HalfMode, Curve] = Field(default_factory=dict)
    """RMS error by RMS of the float32 result with everything before the operation in half as well, of the
    sample on which half precision does worst; no key where a mode was not run."""
    note: str = ""
    """Why the errors were not measured."""

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        columns = (self.places, self.reaches, *self.errors.values())
        if any(len(column) != len(self.operations) for column in columns):
            raise ValueError(f"a column has not the length of the {len(self.operations)} operations")
        return self
