"""Random samples for a model without any: enough to compare conversions, but not to judge accuracy."""

import random
from collections.abc import Mapping

import torch

from coreml_gate.config import Dimension
from coreml_gate.engines.engine import SEED
from coreml_gate.engines.features import InputFeature
from coreml_gate.engines.images import bias_of
from coreml_gate.errors import SamplesError

GREATEST_INTEGER = 9
"""Integers are drawn from 0 to this: small enough for most tables, large enough to vary."""
_TYPICAL_SIZE = 16


def draw_samples(features: Mapping[str, InputFeature], count: int) -> list[dict[str, torch.Tensor]]:
    """Draws seeded samples: normal for floats, 0 to 9 for integers, 0 to 255 for the pixels of an image.

    The first sample has the default shape; later ones vary flexible sizes, equal ranges alike, because two
    inputs with the same range (tokens and their mask) usually must agree. Raises :class:`SamplesError` if a
    shape is not known.
    """
    unknown = [feature.name for feature in features.values() if not feature.shapes]
    if unknown or not features:
        which = f"input `{unknown[0]}`" if unknown else "the inputs"
        raise SamplesError(
            f"no samples are configured, and the shape of {which} is not known.",
            'write `samples = "file.py:callable"` for the model, or `shape = [...]` in `[[model.input]]`.',
        )
    generator = torch.Generator().manual_seed(SEED)
    return [
        {name: _draw(feature, number, generator) for name, feature in features.items()}
        for number in range(count)
    ]


def _draw(feature: InputFeature, number: int, generator: torch.Generator) -> torch.Tensor:
    allowed = feature.shapes[number % len(feature.shapes)]
    shape = [_size(dimension, number) for dimension in allowed]
    if feature.image is not None:
        pixels = torch.randint(0, 256, shape, generator=generator).float()
        return pixels * feature.image.scale + bias_of(feature.image)
    if feature.dtype == "bool":
        return torch.randint(0, 2, shape, generator=generator).bool()
    if feature.dtype == "int32":
        return torch.randint(0, GREATEST_INTEGER + 1, shape, generator=generator)
    return torch.randn(shape, generator=generator)


def _size(dimension: Dimension, number: int) -> int:
    if isinstance(dimension, int):
        return dimension
    low, high = dimension
    typical = max(low, _TYPICAL_SIZE)
    most = 2 * typical if high < low else min(high, 2 * typical)
    if number == 0:
        return min(typical, most)
    return random.Random(f"{SEED} {number} {low} {high}").randint(low, most)  # noqa: S311 - not a secret
