"""What samples say about the scale and bias of an image input, and what the check makes of it."""

import pytest
import torch

from coreml_gate.checks import image_input
from coreml_gate.config import ImageInput
from coreml_gate.engines.images import check_image, image_pixels
from coreml_gate.errors import SamplesError
from coreml_gate.verdict import Finding
from tests.builders import model_record, source
from tests.checks.cases import evidence

GENERATOR = torch.Generator().manual_seed(3)
PIXELS = torch.randint(0, 256, (3, 1, 3, 24, 24), generator=GENERATOR).float()
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
UNIT = ImageInput(scale=1 / 255)
SIGNED = ImageInput(scale=1 / 127.5, bias=(-1.0, -1.0, -1.0))


def found(values: torch.Tensor, image: ImageInput) -> tuple[Finding, ...]:
    pixels = image_pixels("image", image, list(values))
    return image_input.run(evidence(model_record(source=source(images=(pixels,)))))


SOUND = {
    "0 to 1": (PIXELS / 255, UNIT),
    "-1 to 1": (PIXELS / 127.5 - 1, SIGNED),
    "0 to 255": (PIXELS, ImageInput(scale=1.0)),
    "one deviation": ((PIXELS / 255 - MEAN) / 0.226, ImageInput(
        scale=1 / 255 / 0.226, bias=tuple(float(each) for each in (-MEAN / 0.226).flatten())
    )),
    "a dark night": (PIXELS.clamp(max=40) / 255, UNIT),
    "all black": (torch.zeros_like(PIXELS), UNIT),
    "drawn at random": (torch.rand(3, 1, 3, 24, 24, generator=GENERATOR), UNIT),
    "grey": (PIXELS[:, :, :1] / 255, ImageInput(scale=1 / 255, color="GRAYSCALE")),
}  # fmt: skip


@pytest.mark.parametrize(("values", "image"), SOUND.values(), ids=SOUND)
def test_sound_samples_raise_nothing(values: torch.Tensor, image: ImageInput) -> None:
    assert found(values, image) == ()


WRONG = {
    "0 to 1 taken for -1 to 1": (PIXELS / 255, SIGNED, "image = { scale = 0.003921569, bias = [0, 0, 0] }"),
    "-1 to 1 with half the scale": (
        PIXELS.clamp(128) / 127.5 - 1, UNIT, "image = { scale = 0.007843137, bias = [-1, -1, -1] }"
    ),
    "half the range": (PIXELS / 510, UNIT, "image = { scale = 0.001960784, bias = [0, 0, 0] }"),
    "0 to 1 that nothing scales": (
        PIXELS / 255, ImageInput(scale=1.0), "image = { scale = 0.003921569, bias = [0, 0, 0] }"
    ),
    "three deviations": (
        (PIXELS.clamp(30, 220) / 255 - MEAN) / DEVIATION,
        ImageInput(scale=1 / 255 / 0.226, bias=(-2.146, -2.0179, -1.7965)),
        "divide by the deviations in the model, and let scale and bias give values from 0 to 1.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "image", "hint"), WRONG.values(), ids=WRONG)
def test_what_another_scale_makes_whole_is_named_with_it(
    values: torch.Tensor, image: ImageInput, hint: str
) -> None:
    (finding,) = found(values, image)
    assert (finding.status, finding.subject, finding.hint) == ("warn", "image", hint)


def test_the_message_has_pixels_and_their_share_of_whole_numbers() -> None:
    (finding,) = found(PIXELS / 255, SIGNED)
    assert finding.message == (
        "input `image`: scale 0.00784314 and bias [-1, -1, -1] turn the samples into pixels from 128 to 255, "
        "49 % of them whole numbers: the samples come from 8-bit images of another scale or bias."
    )


def test_values_from_0_to_1_off_any_grid_that_nothing_scales_are_named() -> None:
    (finding,) = found(torch.rand(3, 1, 3, 24, 24, generator=GENERATOR), ImageInput(scale=1.0))
    assert finding.message.endswith("of them whole numbers: 8-bit images have pixels from 0 to 255.")
    assert "scale = 0.003921569 for samples from 0 to 1" in finding.hint


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        (
            PIXELS[0] / 127.5 - 1,
            "image = { scale = 0.007843137, bias = [-1, -1, -1] }; or yield the source's values",
        ),
        (PIXELS[0] * 2, "image = { scale = 2, bias = [0, 0, 0] }; or yield the source's values"),
        ((PIXELS[0] / 255 - MEAN) / DEVIATION, "divide by the deviations in the model"),
        (torch.randn(1, 3, 24, 24), "yield the source's values"),
    ],
)
def test_values_that_no_image_gives_come_with_the_scale_that_fits(values: torch.Tensor, hint: str) -> None:
    with pytest.raises(SamplesError, match="allowed are 0 to 255") as caught:
        check_image("input `image` of sample 0", values, UNIT)
    assert caught.value.hint.startswith(hint)
