"""Do the configured scale and bias of an image input turn its samples back into pixels?

Source and package get the same values whatever the configuration says, because pixels are recovered by
inverting it. A wrong scale therefore cancels out in every comparison, and shows only in the app. But values
that come from 8-bit pixels lie on a grid, which gives whole numbers for the right scale and bias only.
"""

from typing import Final

from coreml_gate.checks.check import Check
from coreml_gate.checks.evidence import Evidence
from coreml_gate.criteria.pixels import fitting_scale, listed_numbers, steps_agree
from coreml_gate.record import ImagePixels
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import number, percent

NAME: Final = "image-input"
LEAST_WHOLE: Final = 0.98
"""Share of the recovered pixels that must be whole numbers."""
LEAST_USED: Final = 2.0
"""Samples whose recovered pixels all lie between 0 and this are values from 0 to 1 without a scale."""
LEAST_SKIPPING: Final = 1.5
"""Samples whose pixels are this far apart skip every other value: they were made with another scale."""


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per image input whose samples do not fit the configured scale."""
    source = evidence.head.source
    images = () if source is None else source.images
    return tuple(_finding(image) for image in images if _is_wrong(image))


def _is_wrong(image: ImagePixels) -> bool:
    if not image.steps:
        return 0 < image.greatest <= LEAST_USED
    skips = min(image.steps) >= LEAST_SKIPPING * image.scale
    return image.whole < LEAST_WHOLE or skips


def _finding(image: ImagePixels) -> Finding:
    return Finding(
        check=NAME,
        status=Status.WARN,
        subject=image.input,
        message=(
            f"input `{image.input}`: scale {number(image.scale, 6)} and bias {listed_numbers(image.bias)} "
            f"turn the samples into pixels from {number(image.least)} to {number(image.greatest)}, "
            f"{percent(image.whole)} of them whole numbers: {_cause(image)}."
        ),
        value=image.whole,
        limit=LEAST_WHOLE,
        hint=_hint(image),
    )


def _cause(image: ImagePixels) -> str:
    if not image.steps:
        return "8-bit images have pixels from 0 to 255"
    if not steps_agree(image.steps):
        return f"one scale cannot express the deviations {listed_numbers(image.steps)} of the channels"
    return "the samples come from 8-bit images of another scale or bias"


def _hint(image: ImagePixels) -> str:
    if not image.steps:
        return (
            "yield the values that the source gets from pixels of 0 to 255, or correct `image` in "
            "`[[model.input]]`: "
            f"scale = {number(image.scale / 255, 7)} for samples from 0 to 1."
        )
    return fitting_scale(image)


CHECK: Final = Check(
    NAME,
    "Do the samples of an image input come from pixels of 0 to 255 by the configured scale?",
    run,
    limit="whole numbers, as a warning",
    why=(
        "A wrong scale or bias cancels out in every comparison and shows only in the app, where the model "
        "sees other pixels than in training."
    ),
    fix=(
        "Set `scale` and `bias` of the image input to those that the training code applies to pixels from "
        "0 to 255."
    ),
    page="docs/configuration.md",
    overridable=False,
)
