"""Image inputs: Core ML passes the model ``pixel * scale + bias`` for pixels from 0 to 255.

This module checks the configured scale and bias against the samples. Pixels are recovered by inverting them,
so wrong ones would cancel out in every comparison. But values from 256 levels are whole pixels for only one
scale and bias.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from coreml_gate.config import ImageInput, ModelConfig
from coreml_gate.criteria.pixels import fitting_scale
from coreml_gate.engines.engine import Sample
from coreml_gate.errors import SamplesError
from coreml_gate.record import ImagePixels

_CHANNELS = {"RGB": 3, "BGR": 3, "GRAYSCALE": 1}
_RANK = 4
_LEVELS: Final = 256
_SLACK: Final = 0.5
"""How far outside of 0 to 255 a value may be and still round to a pixel."""
_WHOLE: Final = 0.02
"""How far a whole number may be off, in pixels: float32 rounds a value of 255 steps by far less."""
_LEAST_VALUES: Final = 2 * _LEVELS
"""With fewer values in a channel, a small number of distinct ones does not prove a grid."""
_LEAST_DISTINCT: Final = 32


def nearest_image(value: torch.Tensor, image: ImageInput) -> torch.Tensor:
    """The value that the model gets from the 8-bit image closest to ``value``, in the source's units."""
    rounded = _pixels(value.float(), image).round().clamp(0, _LEVELS - 1)
    return rounded * image.scale + bias_of(image)


def package_sample(sample: Sample, config: ModelConfig) -> dict[str, torch.Tensor]:
    """The sample in the package's form: images as pixels, everything else unchanged.

    The package scales the pixels itself; the source reads the scaled values.
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
    return (value - bias_of(image)) / image.scale


def bias_of(image: ImageInput) -> torch.Tensor:
    """The bias of every channel, for a batch of images."""
    return torch.tensor(channel_bias(image), dtype=torch.float32).reshape(1, -1, 1, 1)


def _check_channels(where: str, value: torch.Tensor, image: ImageInput) -> None:
    """Raises :class:`SamplesError` for anything but a batch of one image, channels first."""
    channels = _CHANNELS[image.color]
    if value.dim() != _RANK or value.shape[1] != channels:
        raise SamplesError(
            f"{where} has shape {list(value.shape)}, allowed for {image.color} is [1, {channels}, H, W].",
            "yield images channel first, or correct `image` in `[[model.input]]`.",
        )


@dataclass(frozen=True)
class _Grid:
    """Values ``start + step * k`` for whole ``k``."""

    start: float
    step: float


def image_pixels(name: str, image: ImageInput, samples: Sequence[torch.Tensor]) -> ImagePixels:
    """What the values of an input, over all its samples, show about its scale and bias."""
    channels = [
        np.concatenate([sample[:, channel].reshape(-1).double().numpy() for sample in samples])
        for channel in range(samples[0].shape[1])
    ]
    bias = channel_bias(image)
    pixels = [(values - bias[channel]) / image.scale for channel, values in enumerate(channels)]
    grids = [_grid(values) for values in channels]
    found = [grid for grid in grids if grid is not None]
    is_grid = len(found) == len(grids)
    return ImagePixels(
        input=name,
        least=min(float(each.min()) for each in pixels),
        greatest=max(float(each.max()) for each in pixels),
        whole=float(np.mean(np.concatenate([np.abs(each - each.round()) <= _WHOLE for each in pixels]))),
        scale=image.scale,
        bias=bias,
        steps=tuple(grid.step for grid in found) if is_grid else (),
        offsets=tuple(_offsets(found, bias)) if is_grid else (),
    )


def check_image(where: str, value: torch.Tensor, image: ImageInput) -> None:
    """Raises :class:`SamplesError`, with the scale that would fit, if no 8-bit image gives such values."""
    _check_channels(where, value, image)
    found = image_pixels(where, image, [value])
    if found.least >= -_SLACK and found.greatest <= _LEVELS - 1 + _SLACK:
        return
    bias, fitting = list(found.bias), fitting_scale(found).rstrip(".")
    raise SamplesError(
        f"{where} needs pixels from {found.least:.4g} to {found.greatest:.4g}, allowed are 0 to "
        f"{_LEVELS - 1}: a pixel becomes pixel * {image.scale:g} + {bias}.",
        (f"{fitting}; or " if fitting else "")
        + "yield the source's values (pixel * scale + bias), or correct `image` in `[[model.input]]`.",
    )


def _grid(values: np.ndarray) -> _Grid | None:
    """The grid that contains all values; ``None`` if they do not share 256 levels."""
    span = float(values.max() - values.min())
    distinct = np.unique(values)
    if values.size < _LEAST_VALUES or span == 0:
        return None
    gaps = np.diff(distinct)
    wide = gaps > span * 1e-6
    levels = distinct[np.concatenate(([True], wide))]
    if not _LEAST_DISTINCT <= len(levels) <= _LEVELS:
        return None
    step = span / round(span / float(np.diff(levels).min()))
    places = (levels - levels[0]) / step
    is_whole = bool((np.abs(places - places.round()) <= _WHOLE).all())
    return _Grid(float(levels[0]), step) if is_whole and places[-1] < _LEVELS else None


def _offsets(grids: Sequence[_Grid], bias: Sequence[float]) -> Iterator[float]:
    """The bias that maps each channel's grid to whole pixels from 0 to 255, nearest to the usual values."""
    for grid, configured in zip(grids, bias, strict=True):
        usual = (0.0, -1.0, configured)
        on_grid = (value for value in usual if _is_on(grid, value))
        nearest = round((grid.start - configured) / grid.step)
        yield next(on_grid, grid.start - grid.step * min(max(nearest, 0), _LEVELS - 1))


def _is_on(grid: _Grid, bias: float) -> bool:
    first = (grid.start - bias) / grid.step
    return abs(first - round(first)) <= _WHOLE and -_WHOLE <= first < _LEVELS
