"""Compression: layers that were skipped, layers compressed too much, and bits that were not saved."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from coreml_gate.mil.dtypes import DTYPES
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Constant, Operation, TensorType
from coreml_gate.rules.rule import Match, rule

_DOCS: Final = "https://apple.github.io/coremltools/docs-guides/source/opt-overview.html"
_LEAST_ELEMENTS: Final = 2048
"""coremltools' default ``weight_threshold``: smaller weights are skipped on purpose."""
_FEW_BITS: Final = 4
_LEAST_LAYERS: Final = 3
_COARSE_ELEMENTS: Final = 65536
_OVERHEAD: Final = 1.25
_SPARSE_SHARE: Final = 0.5


@rule(
    "layer-left-out",
    "perf",
    on="program",
    evidence=("apple/coremltools#2777", _DOCS),
    fix="The block size must divide the channels, and the weight must have more elements than the "
    "threshold:\n"
    "[model.compress]\n"
    "block-size = 32\n"
    "weight-threshold = 2048",
)
def layer_left_out(program: Index) -> Iterator[Match]:
    """Compression skipped a layer."""
    if not any(item.type != "constexpr_cast" for item in program.packed):
        return
    for operation, parameter, name in program.weights():
        if operation.type == "gather":
            continue
        shape = program.shape(name)
        if name in program.constants and program.elements(name) >= _LEAST_ELEMENTS:
            yield Match(
                operation.name, f"the {parameter} of `{operation.type}`, {list(shape)}, is not compressed"
            )


@rule(
    "compressed-ends",
    "info",
    on="program",
    evidence=("apple/coremltools#1760", _DOCS),
    fix="These two layers cost the most accuracy. Keep them at 8 bits, and check how far the metric drops.",
)
def compressed_ends(program: Index) -> Iterator[Match]:
    """The first or the last layer is compressed to 4 bits or fewer."""
    layers = [item for item in program.weights() if item[0].type != "gather"]
    if len(layers) < _LEAST_LAYERS:
        return
    for position, (operation, _, name) in (("first", layers[0]), ("last", layers[-1])):
        made = program.producers.get(name)
        bits = bits_of(program, made) if made is not None and made.type.startswith("constexpr_") else 0
        if 0 < bits <= _FEW_BITS:
            yield Match(operation.name, f"the {position} layer has {bits} bits per weight")


def bits_of(program: Index, operation: Operation) -> int:
    """Bits per element of a compressed weight, without its tables and scales; 0 if unknown."""
    for parameter in ("indices", "data", "quantized_data", "nonzero_data"):
        held = _held(program, operation, parameter)
        if held is not None and isinstance(held.type, TensorType):
            return _index_bits(operation) or DTYPES[held.type.dtype].bits
    return 0


def _held(program: Index, operation: Operation, parameter: str) -> Constant | None:
    """A constant operand: an input from iOS 18 on, an attribute before."""
    if parameter in operation.attributes:
        return operation.attributes[parameter]
    arguments = operation.inputs.get(parameter, ())
    if len(arguments) != 1:
        return None
    return program.constants.get(arguments[0]) if isinstance(arguments[0], str) else arguments[0]


def _index_bits(operation: Operation) -> int:
    """Bits of a palette's indices, which programs before iOS 18 store packed in bytes."""
    if operation.type != "constexpr_lut_to_dense" or "lut" not in operation.attributes:
        return 0
    return int(np.ceil(np.log2(max(operation.attributes["lut"].array.size, 2))))


@rule(
    "coarse-palette",
    "info",
    on="program",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/opt-palettization-overview.html",),
    fix="One table per group of channels (iOS 18) loses less accuracy:\n[model.compress]\nblock-size = 16",
)
def coarse_palette(program: Index) -> Iterator[Match]:
    """One small lookup table serves many weights."""
    for operation in program.of("constexpr_lut_to_dense"):
        bits, tables = bits_of(program, operation), _tables(program, operation)
        elements = program.elements(operation.name)
        if 0 < bits <= _FEW_BITS and tables == 1 and elements >= _COARSE_ELEMENTS:
            yield Match(operation.name, f"one table of {2**bits} values for {elements} weights")


def _tables(program: Index, operation: Operation) -> int:
    held = _held(program, operation, "lut")
    return 1 if held is None else int(np.prod(held.array.shape[:-2], dtype=np.int64))


@rule(
    "heavy-scales",
    "info",
    on="program",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/opt-quantization-overview.html",),
    fix="Use larger blocks or groups:\n[model.compress]\nblock-size = 64",
)
def heavy_scales(program: Index) -> Iterator[Match]:
    """Scales or lookup tables take up most of what compression saves."""
    for operation in program.of("constexpr_blockwise_shift_scale", "constexpr_lut_to_dense"):
        bits, elements = bits_of(program, operation), program.elements(operation.name)
        held = (_held(program, operation, parameter) for parameter in operation.inputs)
        stored = sum(constant.stored_bytes for constant in held if constant is not None)
        reached = 8 * stored / max(elements, 1)
        if bits and reached > _OVERHEAD * bits and elements >= _LEAST_ELEMENTS:
            yield Match(operation.name, f"{bits} bits per weight are {reached:.2f} with scales and tables")


@rule(
    "dense-sparse-weight",
    "perf",
    on="program",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/opt-pruning-overview.html",),
    fix="The mask costs one bit per weight. Prune more, or store the weight densely.",
)
def dense_sparse_weight(program: Index) -> Iterator[Match]:
    """A weight is stored as sparse, but most of its elements are not zero."""
    for operation in program.of("constexpr_sparse_to_dense"):
        held = _held(program, operation, "nonzero_data")
        share = 0.0 if held is None else held.array.size / program.elements(operation.name)
        if share > _SPARSE_SHARE:
            yield Match(operation.name, f"{share:.0%} of its weights are not zero")
