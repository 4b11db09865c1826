"""Which keyword is heard? A filter bank, convolutions and an LSTM on the raw signal.

A keyword is three syllables, each a tone in a low, middle or high register. Speakers differ in pitch, pace
and loudness, and every recording holds noise: all of it is synthesised here, so there is nothing to download.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).parents[1] / "weights" / "keywords.safetensors"
KEYWORDS = {
    "up": ("low", "middle", "high"),
    "down": ("high", "middle", "low"),
    "stop": ("high", "low", "high"),
    "go": ("low", "high", "low"),
    "left": ("middle", "low", "middle"),
    "right": ("middle", "high", "middle"),
}
REGISTERS_HZ = {"low": 300.0, "middle": 600.0, "high": 1200.0}
SAMPLE_RATE_HZ = 4000
SIGNAL_LENGTH = 2048
PRE_EMPHASIS = 0.95
EPSILON = 1e-4


class FilterBank(nn.Module):
    """Pairs of learned filters, one in phase and one in quadrature."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.filters = nn.Conv1d(1, 2 * filters, kernel_size=32, stride=8, padding=12, bias=False)

    def forward(self, signal: Tensor) -> Tensor:
        """(batch, 1, length) -> the magnitude of each pair (batch, filters, frames)."""
        in_phase, quadrature = self.filters(signal).chunk(2, dim=1)
        return magnitude(in_phase, quadrature)


class KeywordNet(nn.Module):
    """A filter bank, two convolutions that join frames, and an LSTM whose last state decides."""

    def __init__(self, filters: int = 32, channels: int = 64) -> None:
        super().__init__()
        self.filter_bank = FilterBank(filters)
        self.frames = nn.Sequential(
            nn.Conv1d(filters, channels, kernel_size=8, stride=4, padding=2),
            nn.ReLU(),
            nn.Conv1d(channels, channels, kernel_size=4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.lstm = nn.LSTM(channels, channels, batch_first=True)
        self.classify = nn.Linear(channels, len(KEYWORDS))

    def forward(self, signal: Tensor) -> Tensor:
        """Signals (batch, 2048) in 16-bit units -> one score per keyword (batch, 6)."""
        spectrum = self.filter_bank(emphasise(normalise(signal)).unsqueeze(1))
        states, _ = self.lstm(self.frames(spectrum).transpose(1, 2))
        return self.classify(states[:, -1])


def normalise(signal: Tensor) -> Tensor:
    """The signal with a root mean square of 1; its peak goes first, so that no square is greater than 1."""
    signal = signal / signal.abs().amax(dim=-1, keepdim=True)
    return signal * torch.rsqrt(signal.square().mean(dim=-1, keepdim=True) + EPSILON)


def emphasise(signal: Tensor) -> Tensor:
    """The signal with its high frequencies raised, one element shorter."""
    return signal[:, 1:] - PRE_EMPHASIS * signal[:, :-1]


def magnitude(in_phase: Tensor, quadrature: Tensor) -> Tensor:
    """The length of each pair of values."""
    return torch.sqrt(in_phase.square() + quadrature.square() + EPSILON)


def build() -> nn.Module:
    """The trained network."""
    model = KeywordNet()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()


def training_set() -> tuple[Tensor, Tensor]:
    """Signals and keywords to learn from."""
    return _record(3000, seed=0)


def samples() -> Iterator[Tensor]:
    """Single signals (1, 2048)."""
    yield from _record(8, seed=2)[0].split(1)


def evaluate(predict: Callable[[Tensor], dict[str, np.ndarray]]) -> dict[str, float]:
    """The share of unheard signals whose best score is at the right keyword."""
    signals, keywords = _record(200, seed=1)
    answers = [int(predict(signal)["scores"].argmax()) for signal in signals.split(1)]
    return {"accuracy": float(np.mean(np.equal(answers, keywords.numpy())))}


def _record(count: int, seed: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(seed)
    keywords = random.integers(len(KEYWORDS), size=count)
    syllables = list(KEYWORDS.values())
    signals = np.stack([_speak(syllables[keyword], random) for keyword in keywords])
    return torch.tensor(signals, dtype=torch.float32), torch.tensor(keywords)


def _speak(registers: tuple[str, ...], random: np.random.Generator) -> np.ndarray:
    pitch = random.uniform(0.8, 1.25)
    word = np.concatenate([_syllable(REGISTERS_HZ[register] * pitch, random) for register in registers])
    signal = random.normal(scale=0.4, size=SIGNAL_LENGTH)
    start = random.integers(SIGNAL_LENGTH - len(word))
    signal[start : start + len(word)] += word
    return np.round(signal * random.uniform(300, 6000))


def _syllable(frequency_hz: float, random: np.random.Generator) -> np.ndarray:
    length = random.integers(350, 650)
    time = np.arange(length) / SAMPLE_RATE_HZ
    glide = random.uniform(-0.3, 0.3) * time
    tone = np.sin(2 * np.pi * frequency_hz * (1 + glide) * time + random.uniform(0, 2 * np.pi))
    return np.hanning(length) * tone
