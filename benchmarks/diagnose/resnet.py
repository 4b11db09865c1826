"""A ResNet-50 with random weights, sound and with one faulty operation."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody writes it


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce = _layer(inputs, width, 1, 1)
        self.conv = _layer(width, width, 3, stride)
        self.expand = _layer(width, 4 * width, 1, 1)
        fits = stride == 1 and inputs == 4 * width
        self.shortcut = nn.Identity() if fits else _layer(inputs, 4 * width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.conv(torch.relu(self.reduce(x))))
        return torch.relu(self.expand(inner) + self.shortcut(x))


class ResNet50(nn.Module):
    """25.6 million random weights; batch norms keep the values of a randomly initialised network near 1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        blocks, inputs = [], 64
        for width, depth, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for index in range(depth):
                blocks.append(Bottleneck(inputs, width, first if index == 0 else 1))
                inputs = 4 * width
        self.stem = _layer(3, 64, 7, 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, 1000)

    def features(self, x: Tensor) -> Tensor:
        return self.blocks(F.max_pool2d(torch.relu(self.stem(x)), 3, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


class FaultyResNet50(ResNet50):
    """With one operation that the converter gets wrong."""

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return self.head(torch.sub(features, features.mean(1, keepdim=True), alpha=0.5).mean((2, 3)))


def _layer(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def images() -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(2):
        yield torch.randn(1, 3, 224, 224, generator=generator)
