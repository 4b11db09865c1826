"""Image inputs: Core ML hands the model ``pixel * scale + bias`` for pixels from 0 to 255."""

import torch

from coreml_gate.config import ImageInput, ModelConfig
from coreml_gate.engines.engine import Sample
from coreml_gate.errors import SamplesError

_GREATEST_PIXEL = 255
_CHANNELS = {"RGB": 3, "BGR": 3, "GRAYSCALE": 1}
_RANK = 4


def nearest_image(value: torch.Tensor, image: ImageInput) -> torch.Tensor:
    """The value that the model gets from the 8-bit image closest to ``value``, in the source's units."""
    rounded = _pixels(value.float(), image).round().clamp(0, _GREATEST_PIXEL)
    return rounded * image.scale + _bias(image)


def package_sample(sample: Sample, config: ModelConfig) -> dict[str, torch.Tensor]:
    """The sample as the package takes it: images as pixels, everything else unchanged.

    The package scales the pixels itself, while the source takes what comes out of that.
    """
    images = {item.name: item.image for item in config.input if item.image is not None}
    return {
        name: _pixels(value, images[name]).round() if name in images else value
        for name, value in sample.items()
    }


def channel_bias(image: ImageInput) -> tuple[float, ...]:
    """One bias per channel; a single configured number serves all of them."""
    channels = _CHANNELS[image.color]
    return image.bias[:channels] if len(image.bias) >= channels else image.bias[:1] * channels


def _pixels(value: torch.Tensor, image: ImageInput) -> torch.Tensor:
    return (value - _bias(image)) / image.scale


def _bias(image: ImageInput) -> torch.Tensor:
    return torch.tensor(channel_bias(image), dtype=torch.float32).reshape(1, -1, 1, 1)


def check_channels(where: str, value: torch.Tensor, image: ImageInput) -> None:
    """Raises :class:`SamplesError` for what is not a batch of one image, channels first."""
    channels = _CHANNELS[image.color]
    if value.dim() != _RANK or value.shape[1] != channels:
        raise SamplesError(
            f"{where} has shape {list(value.shape)}, allowed for {image.color} is [1, {channels}, H, W].",
            "yield images channel first, or correct `image` in `[[model.input]]`.",
        )
