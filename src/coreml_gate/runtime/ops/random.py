"""Random numbers: MIL's distributions by torch; a seed of -1 uses torch's default generator."""

import torch
from torch import Tensor

from coreml_gate.runtime.registry import ROUND, Ints, operation


def _generator(seed: int) -> torch.Generator | None:
    return None if seed < 0 else torch.Generator().manual_seed(seed)


@operation(ROUND)
def random_bernoulli(shape: Ints, prob: float = 0.5, seed: int = -1) -> Tensor:
    return (torch.rand(shape, generator=_generator(seed)) < prob).float()


@operation(ROUND)
def random_categorical(x: Tensor, mode: str = "logits", size: int = 1, seed: int = -1) -> Tensor:
    weights = torch.softmax(x.float(), -1) if mode == "logits" else x.float()
    rows = weights.reshape(-1, x.shape[-1])
    drawn = torch.multinomial(rows, size, replacement=True, generator=_generator(seed))
    return drawn.reshape(*x.shape[:-1], size).float()


@operation(ROUND)
def random_normal(shape: Ints, mean: float = 0.0, stddev: float = 1.0, seed: int = -1) -> Tensor:
    return torch.randn(shape, generator=_generator(seed)) * stddev + mean


@operation(ROUND)
def random_uniform(shape: Ints, low: float = 0.0, high: float = 1.0, seed: int = -1) -> Tensor:
    return torch.rand(shape, generator=_generator(seed)) * (high - low) + low
