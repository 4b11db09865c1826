"""MobileNetV3 as tables 1 and 2 of the paper give it (arXiv:1905.02244), which transformers does not hold."""

import torch
from models.drawing import drawn_for, drawn_images
from torch import Tensor, nn

SIZE = 224
CLASSES = 1000
Layer = tuple[int, int, int, bool, type[nn.Module], int]
"""Kernel, expanded width, width, whether it squeezes and excites, activation, stride."""
LAYERS: tuple[Layer, ...] = (
    (3, 16, 16, False, nn.ReLU, 1),
    (3, 64, 24, False, nn.ReLU, 2),
    (3, 72, 24, False, nn.ReLU, 1),
    (5, 72, 40, True, nn.ReLU, 2),
    (5, 120, 40, True, nn.ReLU, 1),
    (5, 120, 40, True, nn.ReLU, 1),
    (3, 240, 80, False, nn.Hardswish, 2),
    (3, 200, 80, False, nn.Hardswish, 1),
    (3, 184, 80, False, nn.Hardswish, 1),
    (3, 184, 80, False, nn.Hardswish, 1),
    (3, 480, 112, True, nn.Hardswish, 1),
    (3, 672, 112, True, nn.Hardswish, 1),
    (5, 672, 160, True, nn.Hardswish, 2),
    (5, 960, 160, True, nn.Hardswish, 1),
    (5, 960, 160, True, nn.Hardswish, 1),
)

SMALL_LAYERS: tuple[Layer, ...] = (
    (3, 16, 16, True, nn.ReLU, 2),
    (3, 72, 24, False, nn.ReLU, 2),
    (3, 88, 24, False, nn.ReLU, 1),
    (5, 96, 40, True, nn.Hardswish, 2),
    (5, 240, 40, True, nn.Hardswish, 1),
    (5, 240, 40, True, nn.Hardswish, 1),
    (5, 120, 48, True, nn.Hardswish, 1),
    (5, 144, 48, True, nn.Hardswish, 1),
    (5, 288, 96, True, nn.Hardswish, 2),
    (5, 576, 96, True, nn.Hardswish, 1),
    (5, 576, 96, True, nn.Hardswish, 1),
)
"""Table 2 of the paper."""


def eighths(width: float) -> int:
    """The nearest multiple of 8, never more than a tenth below."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * width else nearest


def convolution(
    channels_in: int,
    channels_out: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Sequential:
    layers = [
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out, eps=1e-3),
    ]
    return nn.Sequential(*layers, *([activation()] if activation is not None else []))


class SqueezeExcite(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        squeezed = eighths(width / 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, width, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class InvertedResidual(nn.Module):
    def __init__(
        self,
        width: int,
        layer: "Layer",
    ) -> None:
        super().__init__()
        kernel, expanded, out, squeeze, activation, stride = layer
        layers: list[nn.Module] = []
        if expanded != width:
            layers.append(convolution(width, expanded, activation=activation))
        layers.append(convolution(expanded, expanded, kernel, stride, expanded, activation))
        if squeeze:
            layers.append(SqueezeExcite(expanded))
        layers.append(convolution(expanded, out))
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


def build() -> nn.Module:
    return drawn_for(torch.cat(drawn_images(SIZE)), net(LAYERS, 960, 1280))


def small() -> nn.Module:
    return drawn_for(torch.cat(drawn_images(SIZE)), net(SMALL_LAYERS, 576, 1024))


def net(layers: tuple[Layer, ...], features: int, hidden: int) -> nn.Module:
    widths = [16, *(layer[2] for layer in layers)]
    residuals = [InvertedResidual(width, layer) for width, layer in zip(widths, layers, strict=False)]
    return nn.Sequential(
        convolution(3, 16, 3, 2, activation=nn.Hardswish),
        *residuals,
        convolution(widths[-1], features, activation=nn.Hardswish),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(features, hidden),
        nn.Hardswish(),
        nn.Dropout(0.2),
        nn.Linear(hidden, CLASSES),
    )
