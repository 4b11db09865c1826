"""Are the source's weights in a package that the team made? Others give other answers, and no error."""

from pathlib import Path
from typing import Final

import numpy as np
import torch

from coreml_gate.conversion.computed import tensors_of
from coreml_gate.engines.source import Source
from coreml_gate.mil.index import Index
from coreml_gate.mil.package import read_package
from coreml_gate.record import FoundWeights

_LEAST_ELEMENTS: Final = 8
_SAME: Final = 2e-3
"""Halves are off by 5e-4 of a value."""
_Marks = tuple[float, float, float]
"""Greatest, least, mean magnitude."""


def found_weights(package: Path, source: Source, function: str | None) -> FoundWeights:
    """How many of the source's weight matrices have a constant with the same values in the package.

    A matrix is known by its size, its extremes and its mean magnitude, so that a transposed one is found.
    Those that the converter folds into others, or compresses, are not.
    """
    matrices = [each for each in tensors_of(source) if each.dim() > 1 and each.numel() >= _LEAST_ELEMENTS]
    by_size: dict[int, list[_Marks]] = {}
    for constant in Index(read_package(package).choosing(function).function()).constants.values():
        if constant.array.dtype.kind == "f" and constant.array.size >= _LEAST_ELEMENTS:
            by_size.setdefault(constant.array.size, []).append(_marks(constant.array))
    found = [each for each in matrices if _is_among(each, by_size.get(each.numel(), []))]
    return FoundWeights(matrices=len(matrices), found=len(found))


def _marks(values: np.ndarray) -> _Marks:
    return float(values.max()), float(values.min()), float(np.abs(values).mean(dtype=np.float64))


def _is_among(matrix: torch.Tensor, known: list[_Marks]) -> bool:
    marks = _marks(matrix.detach().float().numpy())
    return any(np.allclose(marks, other, rtol=_SAME, atol=1e-7) for other in known)
