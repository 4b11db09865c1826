"""Constants that the converter computed: what makes a package far larger than the source's parameters."""

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch.export import ExportedProgram

from coreml_gate.conversion.origins import Places
from coreml_gate.engines.source import Source
from coreml_gate.record import ComputedConstant

_LEAST_BYTES: Final = 500_000
"""Tables below are cheap, whatever they hold."""
_SHOWN: Final = 5
_MADE_BY: Final = "COREMLTOOLS_GRAPH_PASS"
_FOURIER: Final = "lower_complex_dialect_ops"
"""The pass that writes a Fourier transform as products with tables: its size is not the source's choice."""


def computed_constants(model: Any, source: Source, places: Places) -> tuple[ComputedConstant, ...]:  # noqa: ANN401  # coremltools' own type
    """The largest constants that are not parameters of the source, where they outweigh all its parameters.

    A constant counts as a parameter when the source has a tensor with as many elements: the converter
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
    """Is it a table of sines and cosines that the converter made for `stft` or `fft`?"""
    passes = (values for key, values in constant.scopes.items() if getattr(key, "name", "") == _MADE_BY)
    return any(_FOURIER in values for values in passes)


def _place(constant: Any, places: Places) -> str:  # noqa: ANN401  # as above
    """Where the constant was computed, or else where it is read first."""
    readers = constant.outputs[0].child_ops
    found = (places.of(operation.scopes).place for operation in (constant, *readers))
    return next(filter(None, found), "")
