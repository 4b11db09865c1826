"""Networks in which coremltools 9.0 converts one operation wrongly, each with convolutions around it."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody writes it


class Network(nn.Module):
    """Convolution, batch norm and the middle in question, then a classifier."""

    def __init__(self, *middle: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.middle = nn.Sequential(*middle)
        self.head = nn.Linear(4 * 8 * 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.middle(self.stem(x))).flatten(1))


class Sharpen(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sub(x, F.avg_pool2d(x, 3, 1, 1), alpha=0.5)


class Residual(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, torch.relu(x), alpha=0.1)


class Whole(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.floor_divide(x, 1)


class Inverse(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.reciprocal(torch.relu(x) + 0.01) * 0.01


class ApproximateGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate="tanh")


class EarlySoftplus(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x, threshold=1)


class Angle(nn.Module):
    """The angle of a pixel that is off, (0, -1), is pi."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.atan2(torch.relu(x), -torch.ones_like(x))


class WriteThroughView(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 0].add_(1)
        return y


class SmallExponential(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.expm1(x * 1e-4) * 1e4


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(F.layer_norm(x, x.shape[1:])) + F.softplus(x)


def _builder(*middle: type[nn.Module]) -> Callable[[], nn.Module]:
    return lambda: Network(*(kind() for kind in middle))


sharpen = _builder(Sharpen)
residual = _builder(Residual)
whole = _builder(Whole)
inverse = _builder(Inverse)
approximate_gelu = _builder(ApproximateGelu)
early_softplus = _builder(EarlySoftplus)
angle = _builder(Angle)
write_through_view = _builder(WriteThroughView)
small_exponential = _builder(SmallExponential)
two_at_once = _builder(Residual, Inverse)
plain = _builder(Plain)


def samples() -> Iterator[Tensor]:
    """Images of ordinary range."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(2):
        yield torch.randn(1, 3, 8, 8, generator=generator)
