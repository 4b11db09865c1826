"""Nets outside of the zoo, written and converted in the usual way."""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "zoo"))

from models.drawing import drawn_for, drawn_images, drawn_normal

CLASSES = 100
FEATURES, HIDDEN, LENGTH = 64, 128, 100


def normed(width_in: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(width_in, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(width))


class Bottleneck(nn.Module):
    """The block of ResNet-50: narrow, look around, widen, add."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.narrow, self.look = normed(width_in, width, 1), normed(width, width, 3, stride)
        self.widen = normed(width, 4 * width, 1)
        changes = stride > 1 or width_in != 4 * width
        self.shortcut = normed(width_in, 4 * width, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.look(torch.relu(self.narrow(x))))
        return torch.relu(self.widen(inner) + self.shortcut(x))


def bottlenecks() -> nn.Module:
    """(1, 3, 160, 160) to classes, by 16 blocks as in ResNet-50."""
    layers: list[nn.Module] = [normed(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    width_in = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            layers.append(Bottleneck(width_in, width, 2 if width > 64 and block == 0 else 1))
            width_in = 4 * width
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width_in, CLASSES))
    return drawn_for(torch.cat(drawn_images(160)), net)


def separable() -> nn.Module:
    """(1, 3, 160, 160) to classes, by depthwise layers with hard-swish."""
    layers: list[nn.Module] = [normed(3, 32, 3, 2), nn.Hardswish()]
    for width_in, width, stride in ((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1)):
        layers += [normed(width_in, width_in, 3, stride, width_in), nn.Hardswish()]
        layers += [normed(width_in, width, 1), nn.Hardswish()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, CLASSES))
    return drawn_for(torch.cat(drawn_images(160)), net)


def images() -> list[Tensor]:
    return drawn_images(160)


class Encoder(nn.Module):
    """Four pre-norm layers of attention, its products written out, as they are in many repositories."""

    def __init__(self, width: int = 256, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(8))
        self.projections = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(4))
        self.outs = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer, (project, out, mlp) in enumerate(zip(self.projections, self.outs, self.mlps, strict=True)):
            query, key, value = (
                part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                for part in project(self.norms[2 * layer](x)).chunk(3, -1)
            )
            weights = torch.softmax(query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5, -1)
            x = x + out((weights @ value).transpose(1, 2).flatten(2))
            x = x + mlp(self.norms[2 * layer + 1](x))
        return x


def encoder() -> nn.Module:
    return Encoder()


def embedded() -> list[Tensor]:
    return drawn_normal((1, 128, 256))


class Recurrent(nn.Module):
    """A recurrent layer's states; what it ends with is left out."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.layer(x)[0]
        return states


class Started(nn.Module):
    """A recurrent layer that is given its initial state."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        states: Tensor = self.layer(x, start)[0]
        return states


def gru() -> nn.Module:
    return Recurrent(nn.GRU(FEATURES, HIDDEN, batch_first=True))


def gru_two_layers_both_ways() -> nn.Module:
    return Recurrent(nn.GRU(FEATURES, HIDDEN, 2, batch_first=True, bidirectional=True))


def gru_started() -> nn.Module:
    return Started(nn.GRU(FEATURES, HIDDEN, batch_first=True))


def lstm() -> nn.Module:
    return Recurrent(nn.LSTM(FEATURES, HIDDEN, batch_first=True))


def lstm_two_layers_both_ways() -> nn.Module:
    return Recurrent(nn.LSTM(FEATURES, HIDDEN, 2, batch_first=True, bidirectional=True))


def rnn() -> nn.Module:
    return Recurrent(nn.RNN(FEATURES, HIDDEN, batch_first=True))


def sequences() -> list[Tensor]:
    return drawn_normal((1, LENGTH, FEATURES))


def sequences_and_states() -> list[dict[str, Tensor]]:
    starts = drawn_normal((1, 1, HIDDEN))
    return [{"x": x, "start": start} for x, start in zip(sequences(), starts, strict=True)]
