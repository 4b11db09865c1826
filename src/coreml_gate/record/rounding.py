"""What float16 inputs do to the samples, as a Record holds it."""

from typing import ClassVar

from pydantic import NonNegativeInt

from coreml_gate.record.base import Measured, Part
from coreml_gate.record.comparison import Comparison, ElementIndex


class RoundedInput(Measured):
    """A float16 input, at the value of a sample that it changes most."""

    input: str
    sample: NonNegativeInt
    place: ElementIndex
    """The sample's value, and the half that the package gets instead."""
    whole: bool
    """Whether all values of the sample are whole numbers, as ids and counts are."""


class InputRounding(Part):
    """What the source itself answers to samples that are rounded as the package's inputs round them."""

    FIELD: ClassVar[str] = "input_rounding"

    inputs: tuple[RoundedInput, ...]
    comparisons: tuple[Comparison, ...] = ()
    """The source on the samples as they are, against the source on the rounded ones."""
    refused: str = ""
    """Why the source does not take the rounded samples; empty where it does."""
