"""Samples drawn with a fixed seed, and weights that keep the activations of a deep net alive."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SEED = 20
SAMPLES = 4


def drawn_normal(shape: Sequence[int], count: int = SAMPLES) -> list[Tensor]:
    """Standard normal tensors, the same in every process."""
    generator = torch.Generator().manual_seed(SEED)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


def drawn_images(size: int) -> list[Tensor]:
    """Images of shape (1, 3, ``size``, ``size``) with as much contrast at every scale, as photographs have.

    White noise looks the same everywhere: a net's deeper features would hardly differ from place to place.
    """
    scales = [size // 2**octave for octave in range(6)]
    octaves = [drawn_normal((1, 3, scale, scale)) for scale in scales]
    return [
        sum(functional.interpolate(noise, (size, size), mode="bilinear") for noise in image)
        / len(scales) ** 0.5
        for image in zip(*octaves, strict=True)
    ]


def drawn_tokens(vocabulary: int, length: int, count: int = SAMPLES) -> list[Tensor]:
    """Token ids of shape (1, ``length``), uniform over the vocabulary."""
    generator = torch.Generator().manual_seed(SEED)
    return [torch.randint(vocabulary, (1, length), generator=generator) for _ in range(count)]


def drawn_for(batch: Tensor, model: nn.Module) -> nn.Module:
    """The model with He's convolution weights and its batch norms' statistics taken from one batch.

    As initialised (mean 0, variance 1) a batch norm normalises nothing, and transformers draws the scales of
    EfficientNet's around 0: its activations shrink to 1e-26, where FP16 can hold none of them.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain average instead of a moving one
            module.reset_parameters()  # scale 1, bias 0
            module.train()
    with torch.no_grad():
        model(batch)
    return model.eval()
