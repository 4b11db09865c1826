"""Finds the scale and bias that turn the samples of an image input into whole pixels."""

from collections.abc import Sequence
from typing import Final

from coreml_gate.record import ImagePixels
from coreml_gate.wording import number

_SAME: Final = 1e-3


def fitting_scale(image: ImagePixels) -> str:
    """What to write or to change in the model; empty if the samples are not on a grid of 256 levels."""
    if not image.steps:
        return ""
    if not steps_agree(image.steps):
        return "divide by the deviations in the model, and let scale and bias give values from 0 to 1."
    scale = sum(image.steps) / len(image.steps)
    return f"image = {{ scale = {number(scale, 7)}, bias = {listed_numbers(image.offsets)} }}"


def steps_agree(steps: Sequence[float]) -> bool:
    """Whether one scale fits all channels."""
    return max(steps) <= min(steps) * (1 + _SAME)


def listed_numbers(values: Sequence[float]) -> str:
    """``[-1, -1, -1]``"""
    return f"[{', '.join(number(value, 6) for value in values)}]"
