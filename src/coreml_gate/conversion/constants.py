"""Compares a package's constants with the source's tensors: which were added, and which are weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.export import ExportedProgram

from coreml_gate.conversion.origins import Places
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.source import Source, run_source
from coreml_gate.errors import GateError
from coreml_gate.floats import HALF_ROUNDING
from coreml_gate.mil.index import Index
from coreml_gate.mil.package import read_package
from coreml_gate.record import ComputedConstant, FoundWeights

_LEAST_BYTES: Final = 500_000
"""Smaller constants do not matter."""
_SHOWN: Final = 5
_MADE_BY: Final = "COREMLTOOLS_GRAPH_PASS"
_FOURIER: Final = "lower_complex_dialect_ops"
"""The pass that turns a Fourier transform into matrix products, whose tables the source does not choose."""
_LEAST_ELEMENTS: Final = 8
_SAME: Final = 2e-3
"""FP16 rounds a value by up to 5e-4 of it."""
_USUAL: Final = 0.002
"""The error that rounding the weights to FP16 may always cause, as a share of the greatest value."""
_MARGIN: Final = 8.0
"""How many times the measured error two packages may differ, because fused layers round differently."""
_Marks = tuple[float, float, float]
"""Greatest, least, mean magnitude."""


def computed_constants(model: Any, source: Source, places: Places) -> tuple[ComputedConstant, ...]:  # noqa: ANN401  # coremltools' own type
    """The largest constants that are not parameters of the source, if they outweigh all its parameters.

    A constant counts as a parameter if the source has a tensor with as many elements, because the converter
    transposes and reshapes weights. Sizes are those of the float32 twin (apple/coremltools#1551).
    """
    tensors = tensors_of(source)
    known = {tensor.numel() for tensor in tensors}
    found = sorted(_constants(model, known, places), key=lambda item: -item.bytes)
    parameters = sum(tensor.numel() * 4 for tensor in tensors)
    return tuple(found[:_SHOWN]) if sum(item.bytes for item in found) > parameters else ()


def tensors_of(source: Source) -> list[torch.Tensor]:
    """All parameters and buffers of a source."""
    if isinstance(source.model, ExportedProgram):
        values = (*source.model.state_dict.values(), *source.model.constants.values())
        return [value for value in values if isinstance(value, torch.Tensor)]
    return [] if source.model is None else [*source.model.parameters(), *source.model.buffers()]


def _constants(model: Any, known: set[int], places: Places) -> Iterator[ComputedConstant]:  # noqa: ANN401  # as above
    program = model._mil_program  # noqa: SLF001  # the saved form has no scopes
    for operation in program.functions[program.default_function_name].operations:
        value: Any = operation.outputs[0].val if operation.op_type == "const" else None
        size = getattr(value, "size", 0)
        if size * 4 >= _LEAST_BYTES and size not in known and not _is_of_fourier(operation):
            place = _place(operation, places)
            name, shape = str(operation.outputs[0].name), tuple(map(int, value.shape))
            yield ComputedConstant(name=name, shape=shape, bytes=int(value.nbytes), place=place)


def _is_of_fourier(constant: Any) -> bool:  # noqa: ANN401  # as above
    """Whether it is a table of sines and cosines that the converter made for `stft` or `fft`."""
    passes = (values for key, values in constant.scopes.items() if getattr(key, "name", "") == _MADE_BY)
    return any(_FOURIER in values for values in passes)


def _place(constant: Any, places: Places) -> str:  # noqa: ANN401  # as above
    """Where the constant was computed, or else where it is first read."""
    readers = constant.outputs[0].child_ops
    found = (places.of(operation.scopes).place for operation in (constant, *readers))
    return next(filter(None, found), "")


def found_weights(package: Path, source: Source, function: str | None) -> FoundWeights:
    """How many of the source's weight matrices have a constant with the same values in the package.

    A matrix is recognised by its size, its extremes and its mean magnitude, so a transposed one is found.
    Matrices that the converter folds into others, or compresses, are not.
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


def most_by_rounding(source: Source, sample: Sample, outputs: Outputs) -> float:
    """How far two packages of one source may differ by rounding, as a share of the greatest value.

    It is measured on the source, whose result for the sample is ``outputs``, because a greater allowance
    could hide a mistake. Weights are rounded to FP16, and so is the scale of an image, which shifts all
    pixels alike.
    """
    if source.kind == "torchscript":  # its constants are not buffers
        return inf
    moved = {
        name: value * (1 + HALF_ROUNDING) if value.is_floating_point() else value
        for name, value in sample.items()
    }
    try:
        with _weights_in_half(source.runnable):
            rounded = run_source(source, moved)
    except GateError:
        return inf
    costs = [relative_difference(array, rounded[name]) for name, array in outputs.items()]
    return max(_USUAL, _MARGIN * max(costs, default=0.0))


@contextmanager
def _weights_in_half(model: torch.nn.Module) -> Iterator[None]:
    """Round weights and buffers to FP16 within the block."""
    tensors = [each for each in (*model.parameters(), *model.buffers()) if each.is_floating_point()]
    kept = [each.detach().clone() for each in tensors]
    with torch.no_grad():
        for each in tensors:
            each.copy_(each.half())
    try:
        yield
    finally:
        with torch.no_grad():
            for each, before in zip(tensors, kept, strict=True):
                each.copy_(before)


def relative_difference(left: np.ndarray, right: np.ndarray) -> float:
    """Greatest difference as a share of the greatest value; infinite if they cannot be compared."""
    if left.shape != right.shape or left.dtype.kind not in "fiub":
        return float("inf")
    a, b = left.astype(np.float64), right.astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    greatest = float(np.abs(a).max(initial=0.0))
    difference = float(np.abs(a - b).max(initial=0.0))
    return 0.0 if difference == 0 else difference / greatest if greatest else float("inf")
