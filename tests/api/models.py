"""Two small models: one that half precision leaves as it is, and one that it overflows."""

import torch
from torch import Tensor, nn


class Scorer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        with torch.no_grad():
            self.layer.weight.copy_(torch.arange(12).reshape(3, 4) / 12 - 0.4)
            self.layer.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.layer(x), -1)


class Overflowing(nn.Module):
    """The mean of squares, which passes 65,504 for inputs of some hundreds."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-5)


def samples(scale: float = 1.0) -> list[Tensor]:
    return [scale * torch.linspace(-1, 1, 4).roll(number).reshape(1, 4) for number in range(4)]
