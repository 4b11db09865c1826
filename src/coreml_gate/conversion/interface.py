"""Declares the package's inputs and outputs for coremltools."""

from collections.abc import Mapping, Sequence
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil.mil.passes.defs.preprocess import NameSanitizer
from torch.export import Dim, ExportedProgram

from coreml_gate.config import Dimension, ModelConfig, ModelInput
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.engines.engine import Outputs, Sample
from coreml_gate.engines.images import channel_bias
from coreml_gate.engines.samples import Samples
from coreml_gate.wording import counted

_DTYPES = {"float16": np.float16, "float32": np.float32, "int32": np.int32}
_COLORS = {
    "RGB": ct.colorlayout.RGB,
    "BGR": ct.colorlayout.BGR,
    "GRAYSCALE": ct.colorlayout.GRAYSCALE,
}
_SPECIALISED_BY_TORCH = 1
"""torch.export treats a size of 1 as a constant, whatever is declared."""

Ranges = Mapping[tuple[str, int], tuple[int, int]]
"""Least and greatest size of each flexible dimension, by input name and axis."""


def flexible_dimensions(config: ModelConfig) -> dict[tuple[str, int], tuple[int, int]]:
    """The flexible dimensions of the configuration, with their bounds."""
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for item in config.input:
        for axis, sizes in enumerate(_sizes_by_axis(item)):
            if sizes[0] != sizes[1]:
                found[item.name, axis] = sizes
    return found


def _sizes_by_axis(item: ModelInput) -> list[tuple[int, int]]:
    if item.shapes is not None:
        return [(min(column), max(column)) for column in zip(*item.shapes, strict=True)]
    return [(size, size) if isinstance(size, int) else size for size in item.shape or ()]


def example(samples: Samples, ranges: Ranges) -> dict[str, torch.Tensor]:
    """The sample to capture the source with: the first, or the first without a flexible size of 1."""
    usable = (sample for sample in samples.samples if _is_general(sample, ranges))
    return next(usable, samples.samples[0])


def _is_general(sample: Sample, ranges: Ranges) -> bool:
    return all(sample[name].shape[axis] > _SPECIALISED_BY_TORCH for name, axis in ranges)


def export_shapes(sample: Sample, ranges: Ranges) -> tuple[dict[int, object] | None, ...] | None:
    """``dynamic_shapes`` for torch.export: flexible dimensions are open, and torch finds equal ones."""
    if not ranges:
        return None
    return tuple(
        {
            axis: _open(low, high if high >= low else None)
            for (input_name, axis), (low, high) in ranges.items()
            if input_name == name
        }
        or None
        for name in sample
    )


def _open(least: int, greatest: int | None) -> object:
    """A dimension whose bounds torch refines; before torch 2.8 it accepts none and derives all of them."""
    hint: Any = Dim.AUTO
    return hint(min=least, max=greatest) if callable(hint) else hint


def check_flexible(program: ExportedProgram, names: Sequence[str], ranges: Ranges) -> None:
    """Raises :class:`ConversionFailedError` if the source fixes a dimension configured as flexible."""
    shapes = dict(zip(names, user_input_shapes(program), strict=True))
    for (name, axis), (low, high) in ranges.items():
        size = shapes[name][axis]
        if str(size).isdecimal():  # a number, or a symbol that the export replaced by one
            raise ConversionFailedError(
                f"input `{name}`: dimension {axis} is configured as [{low}, {high}], but the source uses "
                f"its size of {size} as a constant.",
                f"fix it in `shape`, or take sizes from `{name}.shape` in the source.",
            )


def user_input_shapes(program: ExportedProgram) -> list[torch.Size]:
    """The shapes of the program's inputs in its order, with symbols for open dimensions."""
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    return [values[name].shape for name in program.graph_signature.user_inputs]


def input_types(
    samples: Samples, config: ModelConfig, program: ExportedProgram | None = None
) -> list[ct.TensorType]:
    """Declares the inputs in the samples' order; sample 0 decides what the configuration omits.

    Integers become int32. Core ML accepts no booleans: coremltools makes them float32 and casts inside.
    Dimensions that torch.export found to be equal share one range, so that coremltools knows it too.
    """
    declared = {item.name: item for item in config.input}
    symbols = dict(zip(samples.names, user_input_shapes(program), strict=True)) if program is not None else {}
    shared: dict[object, ct.RangeDim] = {}
    return [
        _input_type(name, value, declared.get(name, ModelInput(name=name)), symbols.get(name), shared)
        for name, value in samples.samples[0].items()
    ]


def _input_type(
    name: str,
    value: torch.Tensor,
    declared: ModelInput,
    symbols: torch.Size | None,
    shared: dict[object, ct.RangeDim],
) -> ct.TensorType:
    shape = _shape(value, declared, symbols, shared)
    if declared.image is not None:
        image, bias = declared.image, list(channel_bias(declared.image))
        return ct.ImageType(
            name=name,
            shape=shape,
            scale=image.scale,
            bias=bias if len(bias) > 1 else bias[0],
            color_layout=_COLORS[image.color],
            channel_first=True,
        )
    return ct.TensorType(name=name, shape=shape, dtype=_dtype(value, declared))


def _dtype(value: torch.Tensor, declared: ModelInput) -> type:
    if declared.dtype is not None:
        return _DTYPES[declared.dtype]
    if value.dtype == torch.bool:
        return bool
    return np.float32 if value.is_floating_point() else np.int32


def _shape(
    value: torch.Tensor,
    declared: ModelInput,
    symbols: torch.Size | None,
    shared: dict[object, ct.RangeDim],
) -> object:
    if declared.shapes is not None:
        return ct.EnumeratedShapes(
            shapes=[list(shape) for shape in declared.shapes], default=declared.shapes[0]
        )
    if declared.shape is None:
        return tuple(value.shape)
    keys = [str(size) for size in symbols] if symbols is not None else [None] * value.dim()
    return tuple(
        _size(dimension, value.shape[axis], keys[axis], shared)
        for axis, dimension in enumerate(declared.shape)
    )


def _size(
    dimension: Dimension, default: int, symbol: str | None, shared: dict[object, ct.RangeDim]
) -> object:
    if isinstance(dimension, int):
        return dimension
    low, high = dimension
    key = (symbol, low, high)
    if symbol is None or key not in shared:
        shared[key] = ct.RangeDim(lower_bound=low, upper_bound=high, default=default)
    return shared[key]


def output_types(config: ModelConfig, outputs: Outputs) -> list[ct.TensorType]:
    """Declares the outputs by the configured names, or by the source's own.

    Without a name the converter numbers its variables, and every added layer would rename an output. Floats
    are float32 at the interface, whatever the package's precision.
    """
    names = config.output or tuple(outputs)
    if len(names) != len(outputs):
        raise ConversionFailedError(
            f"the configuration names {counted(len(names), 'output')}, the source returns {len(outputs)}: "
            f"{', '.join(f'`{name}`' for name in outputs)}.",
            "give one name per output in `output`, in the source's order.",
        )
    _refuse_one_name(names)
    return [
        ct.TensorType(name=name, dtype=np.float32 if value.dtype.kind == "f" else None)
        for name, value in zip(names, outputs.values(), strict=True)
    ]


def _refuse_one_name(names: Sequence[str]) -> None:
    """Raises :class:`ConversionFailedError` for an output whose name an earlier one gets in the package.

    coremltools makes a name that it changed unique among those before it only.
    """
    sanitizer, written = NameSanitizer(prefix="var_"), dict[str, str]()
    for name in dict.fromkeys(names):
        new = sanitizer.sanitize_name(name)
        if new in written:
            raise ConversionFailedError(
                f"outputs `{written[new]}` and `{name}` would both be `{new}` in the package: coremltools "
                "writes `_` for every character but letters, digits and `_`.",
                "rename one of them in the source, or give every output a name in `output`.",
            )
        written[new] = name
