"""Records the times of one call, over and over, on this machine: python record.py OUT.npz"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

SECONDS = 110.0


def network(size: int) -> Callable[[], object]:
    """A small convolutional net on one thread."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3), torch.nn.ReLU()
    ).eval()
    sample = torch.rand(1, 3, size, size)
    return lambda: net(sample)


def stream(call: Callable[[], object], seconds: float) -> np.ndarray:
    """Seconds of each call; the first second is warm-up and left out."""
    times: list[float] = []
    start = time.perf_counter()
    while (now := time.perf_counter()) - start < seconds + 1:
        call()
        if now - start > 1:
            times.append(time.perf_counter() - now)
    return np.array(times)


def main(target: Path) -> None:
    with torch.no_grad():
        np.savez(target, short=stream(network(32), SECONDS), long=stream(network(192), SECONDS))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
