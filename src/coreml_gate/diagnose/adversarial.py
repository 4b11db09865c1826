"""Changed samples on which wrong conversions show that ordinary samples do not reach."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from coreml_gate.config import ModelConfig
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.mil import MilEngine
from coreml_gate.engines.torch_source import SourceEngine
from coreml_gate.errors import PackageError, SourceError
from coreml_gate.measure.compare import compare
from coreml_gate.record import Comparison, Variant

MOST_SECONDS: Final = 30.0
"""After this no further variant is begun: a large model is asked fewer of them."""
_ULPS: Final = 4
"""How far the inputs are moved to see whether the source is stable."""
_STABLE_SHARE: Final = 0.25
"""Of the parity limit: the source itself may move by so much."""
_SPREAD: Final = 3.0
"""The greatest magnitude of the whole and half numbers."""


def _whole(x: Tensor) -> Tensor:
    return (x / _greatest(x) * _SPREAD).round()


def _boundaries(x: Tensor) -> Tensor:
    values = torch.tensor([0.0, 1.0, -1.0, float(x.min()), float(x.max())], dtype=x.dtype)
    return values.repeat(math.ceil(x.numel() / len(values)))[: x.numel()].reshape(x.shape)


def _infinite(x: Tensor) -> Tensor:
    flat = x.clone().reshape(-1)
    flat[:: max(2, flat.numel() // 4)] = -math.inf
    return flat.reshape(x.shape)


def _greatest(x: Tensor) -> float:
    return float(x.abs().max()) or 1.0


CHANGES: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "samples times 1e-4": lambda x: x * 1e-4,
    "samples times 1e3": lambda x: x * 1e3,
    "half-integers": lambda x: _whole(x) + 0.5,
    "magnitudes": lambda x: x.abs(),
    "negated magnitudes": lambda x: -x.abs(),
    "integers": _whole,
    "zeros": torch.zeros_like,
    "fractions in (0, 1)": lambda x: torch.sigmoid(x / _greatest(x) * _SPREAD),
    "repeated values": lambda x: (x / _greatest(x) * 2).round() / 2 * _greatest(x),
    "boundary values": _boundaries,
    "infinities": _infinite,
}
"""What happens to every floating point input, in the order in which it is tried."""


@dataclass(frozen=True)
class Adversary:
    """Both sides of one model, and the sample that is changed."""

    source: SourceEngine
    package: MilEngine
    config: ModelConfig
    limit: float


def variants(
    adversary: Adversary, sample: Sample, clock: Callable[[], float] = time.perf_counter
) -> Iterator[tuple[Variant, Sample]]:
    """Each change on which the source is defined and stable, compared with the package.

    Integers, images and masks (inputs of zeros and ones) stay as they are; without anything to change there
    is no variant.
    """
    fixed = {item.name for item in adversary.config.input if item.image is not None}
    names = [name for name, value in sample.items() if name not in fixed and _is_free(value)]
    until = clock() + MOST_SECONDS
    for title, change in CHANGES.items() if names else ():
        if clock() > until:
            return
        changed = {name: change(value) if name in names else value for name, value in sample.items()}
        comparisons = _compared(adversary, changed, names)
        if comparisons:
            yield Variant(name=title, comparisons=comparisons), changed


def _is_free(value: Tensor) -> bool:
    return value.is_floating_point() and value.numel() > 0 and not bool(((value == 0) | (value == 1)).all())


def _compared(adversary: Adversary, changed: Sample, names: list[str]) -> tuple[Comparison, ...]:
    """Nothing where the source refuses, is undefined or unstable, or where the package refuses the input."""
    try:
        reference = adversary.source.run(changed)
        if not _is_defined(reference):
            return ()
        moved = {name: _moved(value) if name in names else value for name, value in changed.items()}
        if not _is_stable(reference, adversary.source.run(moved), adversary.limit * _STABLE_SHARE):
            return ()
        candidate = adversary.package.run(changed)
    except (SourceError, PackageError):
        return ()
    return tuple(compare(name, 0, reference[name], candidate[name], ("source", "fp32")) for name in reference)


def _is_defined(outputs: Outputs) -> bool:
    return all(bool(np.isfinite(array).all()) for array in outputs.values())


def _moved(value: Tensor) -> Tensor:
    """Every number a few units in the last place off, to either side; zeros and infinities stay."""
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, value.shape, generator=generator) * 2 - 1
    step = _ULPS * torch.finfo(value.dtype).eps * value.abs() * signs
    return torch.where(value.isfinite(), value + step.to(value.dtype), value)


def _is_stable(reference: Outputs, moved: Outputs, limit: float) -> bool:
    figures = (compare(name, 0, reference[name], moved[name], ("source", "source")) for name in reference)
    return not any(item.exceeds(limit) for item in figures)
