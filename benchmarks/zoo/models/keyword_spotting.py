"""Keyword spotting from the waveform: a log spectrogram by STFT, then depthwise separable convolutions."""

import torch
from models.drawing import drawn_for, drawn_normal
from torch import Tensor, nn

RATE = 16_000
WINDOW = 512
HOP = 160
WIDTH = 64
LAYERS = 4
KEYWORDS = 12


class Spectrogram(nn.Module):
    """(1, samples) to (1, 1, frequencies, frames): the logarithm of the power."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW))

    def forward(self, clip: Tensor) -> Tensor:
        spectrum = torch.stft(clip, WINDOW, HOP, window=self.window, center=False, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log(power + 1e-3).unsqueeze(1)


def separable(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def build() -> nn.Module:
    model = nn.Sequential(
        Spectrogram(),
        nn.Conv2d(1, WIDTH, (10, 4), stride=(4, 2), bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        *[separable(WIDTH) for _ in range(LAYERS)],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, KEYWORDS),
    )
    return drawn_for(torch.cat(clips()), model)


def clips() -> list[Tensor]:
    """One second of noise each."""
    return drawn_normal((1, RATE))
