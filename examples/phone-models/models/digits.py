"""Which digit is written on an 8 x 8 image? A small convolutional network on scikit-learn's digits."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = Path(__file__).parents[1] / "weights" / "digits.safetensors"
GREATEST_PIXEL = 16.0


class ConvBlock(nn.Sequential):
    """A 3 x 3 convolution with batch norm and ReLU; keeps height and width."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        )


class DigitNet(nn.Module):
    """Two resolutions of convolutions, averaged over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvBlock(1, 32),
            ConvBlock(32, 64),
            nn.MaxPool2d(2),
            ConvBlock(64, 64),
        )
        self.classify = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Images (batch, 1, 8, 8) with pixels in 0..1 -> one score per digit (batch, 10)."""
        pooled = self.features(sharpen(image)).mean(dim=(2, 3))
        return self.classify(pooled)


def sharpen(image: Tensor) -> Tensor:
    """The image less half of its local mean, so that strokes stand out against smudges."""
    blurred = functional.avg_pool2d(image, kernel_size=3, stride=1, padding=1)
    return image - 0.5 * blurred


def build() -> nn.Module:
    """The trained network."""
    model = DigitNet()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()


def training_set() -> tuple[Tensor, Tensor]:
    """Images and digits to learn from."""
    return _split()[0]


def samples() -> Iterator[Tensor]:
    """Single held-out images (1, 1, 8, 8)."""
    images, _ = _split()[1]
    yield from images[:8].split(1)


def evaluate(predict: Callable[[Tensor], dict[str, np.ndarray]]) -> dict[str, float]:
    """The share of held-out images whose best score is at the right digit."""
    images, digits = _split()[1]
    answers = [int(predict(image)["scores"].argmax()) for image in images.split(1)]
    return {"accuracy": float(np.mean(np.equal(answers, digits.numpy())))}


def _split() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    pixels, digits = load_digits(return_X_y=True)
    images = torch.tensor(pixels / GREATEST_PIXEL, dtype=torch.float32).reshape(-1, 1, 8, 8)
    train, held_out = train_test_split(np.arange(len(digits)), test_size=0.2, random_state=0, stratify=digits)
    labels = torch.tensor(digits)
    return (images[train], labels[train]), (images[held_out], labels[held_out])
