"""Six models that half precision breaks, and three that only look as if it did."""

import torch
from torch import Tensor, nn


class SumOverflow(nn.Module):
    """Sums 4,096 values of about 30 and scales the sum afterwards."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x.abs().sum((2, 3)) * 1e-5)


class MaskedSoftmax(nn.Module):
    """Adds -1e9 where the mask is 0: in half that is -inf, and a row of them has no softmax."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.softmax(x + (1 - mask) * -1e9, -1)


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class LargeActivations(nn.Module):
    """Squares activations of several hundreds."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(RMSNorm(32) for _ in range(4))
        self.lines = nn.ModuleList(nn.Linear(32, 32) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for norm, line in zip(self.norms, self.lines, strict=True):
            x = torch.relu(line(norm(x))) * 400 + 1
        return torch.sigmoid(x / 500)


class SmallEpsilon(nn.Module):
    """Divides values of about 3e-6 by their mean; the converter raises the epsilon to 6e-8, 2 % of it."""

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.abs().mean(-1, keepdim=True) + 1e-8)


class NaiveSoftplus(nn.Module):
    """The exponential overflows from 11.1 on."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(1 + torch.exp(x)) + x


class LongSum(nn.Module):
    """160,000 terms of one sign: half accumulators lose the small ones. Only the Neural Engine has them."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x.sum(-1, keepdim=True) * 7e-5)


class ConstantMask(nn.Module):
    """A causal mask of -1e9 that leaves a finite entry in each row."""

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.full((16, 16), -1e9).triu(1)
        return torch.softmax(x[:, :16, :16] + mask, -1)


class DefaultEpsilons(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(32)

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(torch.nn.functional.normalize(self.norm(x)).abs() + 1.0)


class StableSoftplus(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) + torch.log(1 + torch.exp(-x.abs()))


def _normal(*shape: int, scale: float = 1.0, count: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(*shape, generator=generator) * scale for _ in range(count)]


def planes() -> list[Tensor]:
    return _normal(1, 3, 64, 64, scale=40.0)


def scores_and_masks() -> list[tuple[Tensor, Tensor]]:
    masks = [torch.ones(1, 8, 16) for _ in range(4)]
    for row, mask in enumerate(masks):
        mask[:, :, 12:] = 0
        if row == 2:
            mask[:, 5] = 0
    return list(zip(_normal(1, 8, 16), masks, strict=True))


def large() -> list[Tensor]:
    return _normal(2, 32, scale=400.0)


def rows() -> list[Tensor]:
    return _normal(2, 32, scale=8.0)


def tiny() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(2, 32, generator=generator) * 2e-6 + 2e-6 for _ in range(4)]


def squares() -> list[Tensor]:
    return _normal(2, 16, 16)


def long_rows() -> list[Tensor]:
    return [value.abs() * 0.1 for value in _normal(1, 160_000)]
