"""How float16 inputs change the samples, as stored in a Record."""

from typing import ClassVar

from pydantic import NonNegativeInt

from coreml_gate.record.base import Measured, Part
from coreml_gate.record.comparison import Comparison, ElementIndex


class RoundedInput(Measured):
    """A float16 input, with the value that it changes most."""

    input: str
    sample: NonNegativeInt
    place: ElementIndex
    """The sample's value, and the half that the package gets instead."""
    whole: bool
    """Whether all values of the sample are whole numbers, as ids and counts are."""


class InputRounding(Part):
    """The source's outputs for samples that are rounded like the package's inputs."""

    FIELD: ClassVar[str] = "input_rounding"

    inputs: tuple[RoundedInput, ...]
    comparisons: tuple[Comparison, ...] = ()
    """The source on the original samples against the source on the rounded ones."""
    refused: str = ""
    """Why the source refuses the rounded samples; empty if it does not."""
