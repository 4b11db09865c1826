"""Do the samples of an image input come from 8-bit pixels as the configuration says?

Pixels are recovered by inverting the configured scale, so a wrong one cancels out in every comparison. It
cannot hide the grid: values that come from 256 levels are whole numbers for one scale and bias only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from coreml_gate.config import ImageInput
from coreml_gate.criteria.pixels import fitting_scale
from coreml_gate.engines.images import channel_bias, check_channels
from coreml_gate.errors import SamplesError
from coreml_gate.record import ImagePixels

LEVELS: Final = 256
_SLACK: Final = 0.5
"""How far outside of 0 to 255 a value may lie and still round to a pixel."""
_WHOLE: Final = 0.02
"""How far a whole number may be off, in pixels: float32 rounds a value of 255 steps by far less."""
_LEAST_VALUES: Final = 2 * LEVELS
"""With fewer values in a channel, few distinct ones prove no grid."""
_LEAST_DISTINCT: Final = 32


@dataclass(frozen=True)
class _Grid:
    """Values ``start + step * k`` for whole ``k``."""

    start: float
    step: float


def image_pixels(name: str, image: ImageInput, samples: Sequence[torch.Tensor]) -> ImagePixels:
    """What the values of an input, over all its samples, say about its scale and bias."""
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
    """Raises :class:`SamplesError`, with the scale that would fit, when no 8-bit image gives such values."""
    check_channels(where, value, image)
    found = image_pixels(where, image, [value])
    if found.least >= -_SLACK and found.greatest <= LEVELS - 1 + _SLACK:
        return
    bias, fitting = list(found.bias), fitting_scale(found).rstrip(".")
    raise SamplesError(
        f"{where} needs pixels from {found.least:.4g} to {found.greatest:.4g}, allowed are 0 to "
        f"{LEVELS - 1}: a pixel becomes pixel * {image.scale:g} + {bias}.",
        (f"{fitting}; or " if fitting else "")
        + "yield what the source takes (pixel * scale + bias), or correct `image` in `[[model.input]]`.",
    )


def _grid(values: np.ndarray) -> _Grid | None:
    """The grid on which all values lie; ``None`` where they have no 256 levels in common."""
    span = float(values.max() - values.min())
    distinct = np.unique(values)
    if values.size < _LEAST_VALUES or span == 0:
        return None
    gaps = np.diff(distinct)
    wide = gaps > span * 1e-6
    levels = distinct[np.concatenate(([True], wide))]
    if not _LEAST_DISTINCT <= len(levels) <= LEVELS:
        return None
    step = span / round(span / float(np.diff(levels).min()))
    places = (levels - levels[0]) / step
    is_whole = bool((np.abs(places - places.round()) <= _WHOLE).all())
    return _Grid(float(levels[0]), step) if is_whole and places[-1] < LEVELS else None


def _offsets(grids: Sequence[_Grid], bias: Sequence[float]) -> Iterator[float]:
    """The bias that puts each channel's grid on whole pixels from 0 to 255, the nearest to the usual ones."""
    for grid, configured in zip(grids, bias, strict=True):
        usual = (0.0, -1.0, configured)
        on_grid = (value for value in usual if _is_on(grid, value))
        nearest = round((grid.start - configured) / grid.step)
        yield next(on_grid, grid.start - grid.step * min(max(nearest, 0), LEVELS - 1))


def _is_on(grid: _Grid, bias: float) -> bool:
    first = (grid.start - bias) / grid.step
    return abs(first - round(first)) <= _WHOLE and -_WHOLE <= first < LEVELS
