"""Shapes and flexible inputs: ranges, enumerations, ranks, and sizes known only at run time."""

from collections.abc import Iterator, Mapping
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import TensorType
from coreml_gate.mil.package import Package
from coreml_gate.rules.rule import Match, rule
from coreml_gate.wording import listed

_FLEXIBLE_INPUTS: Final = "https://apple.github.io/coremltools/docs-guides/source/flexible-inputs.html"
_GREATEST_RANK: Final = 5
_GREATEST_ENUMERATION: Final = 128
_GREATEST_AXIS: Final = 16384
_WIDE_RANGE: Final = 64
_ALIGNED: Final = 32
_LEAST_OUTPUT: Final = 64
_SHAPE_PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "reshape": ("shape",),
    "fill": ("shape",),
    "tile": ("reps",),
    "slice_by_index": ("begin", "end"),
    "slice_by_size": ("begin", "size"),
    "broadcast_to": ("shape",),
}
"""The operands that decide the shape of the result, by operation."""


@rule(
    "rank-above-5",
    "fatal",
    on="program",
    evidence=("apple/coremltools#1723", "apple/coremltools#2291"),
    fix="Merge dimensions around the operation:\nx.reshape(b * h1, h2, w1, w2, c).permute(...)",
)
def rank_above_5(program: Index) -> Iterator[Match]:
    """A tensor has more than five dimensions."""
    for operation in program.operations:
        for value in operation.outputs:
            if len(program.shape(value.name)) > _GREATEST_RANK:
                yield Match(operation.name, f"`{operation.type}` gives {value.type}")


@rule(
    "empty-value",
    "fatal",
    on="program",
    evidence=("apple/coremltools#1635", "microsoft/onnxruntime#23262"),
    fix="Core ML has no empty tensors. Remove the slice or the concatenated piece.",
)
def empty_value(program: Index) -> Iterator[Match]:
    """A tensor has no elements."""
    for operation in program.operations:
        for value in operation.outputs:
            if 0 in program.shape(value.name):
                yield Match(operation.name, f"`{operation.type}` gives {value.type}")


@rule(
    "range-shape",
    "perf",
    on="package",
    evidence=("apple/coremltools#2370", "apple/coremltools#1764", _FLEXIBLE_INPUTS),
    fix="With a range, only the default shape runs on the Neural Engine. Enumerate the shapes you need:\n"
    "[[model.input]]\n"
    "shapes = [[1, 64], [1, 128]]",
)
def range_shape(package: Package) -> Iterator[Match]:
    """An input accepts a range of shapes."""
    for feature in package.interface.inputs:
        if feature.ranges and any(low != high for low, high in feature.ranges):
            yield Match(feature.name, f"takes shapes {feature.wanted()}")


@rule(
    "open-range",
    "perf",
    on="package",
    evidence=(_FLEXIBLE_INPUTS,),
    fix="Set a bound, so that memory can be planned:\nshape = [1, [1, 512]]",
)
def open_range(package: Package) -> Iterator[Match]:
    """An input has a dimension without an upper bound."""
    for feature in package.interface.inputs:
        if any(high is None for _, high in feature.ranges):
            yield Match(feature.name, f"takes shapes {feature.wanted()}, without an upper bound")


@rule(
    "wide-range",
    "perf",
    on="package",
    evidence=("john-rocky/CoreML-Models#5", "apple/coremltools#1988", _FLEXIBLE_INPUTS),
    fix="Buffers may be planned for the greatest shape. Limit the range to what the app really sends.",
)
def wide_range(package: Package) -> Iterator[Match]:
    """The greatest shape of an input is far above its default."""
    for feature in package.interface.inputs:
        if not feature.ranges or any(high is None for _, high in feature.ranges):
            continue
        factor = 1.0
        for size, (_, high) in zip(feature.shape, feature.ranges, strict=False):
            factor *= (high or size) / max(size, 1)
        if factor >= _WIDE_RANGE:
            yield Match(feature.name, f"the greatest shape has {factor:.0f} times the default's elements")


@rule(
    "enumerated-layer-norm",
    "perf",
    on="package",
    evidence=("apple/coremltools#1909",),
    fix="One model took 175 ms there, and 20 ms with one fixed shape. Fix the shape, or ship one function "
    "per shape.",
)
def enumerated_layer_norm(package: Package) -> Iterator[Match]:
    """A layer norm runs on enumerated shapes."""
    enumerated = [feature.name for feature in package.interface.inputs if feature.shapes]
    norms = list(Index(package.function()).of("layer_norm")) if enumerated else []
    if norms:
        yield Match(enumerated[0], f"enumerated shapes with {len(norms)} `layer_norm`")


@rule(
    "too-many-shapes",
    "fatal",
    on="package",
    evidence=("apple/coremltools#989", _FLEXIBLE_INPUTS),
    fix=f"At most {_GREATEST_ENUMERATION} are allowed. Round sizes up to a step, and pad.",
)
def too_many_shapes(package: Package) -> Iterator[Match]:
    """An input enumerates more shapes than Core ML allows."""
    for feature in package.interface.inputs:
        if len(feature.shapes) > _GREATEST_ENUMERATION:
            yield Match(feature.name, f"{len(feature.shapes)} enumerated shapes")


@rule(
    "paired-enumerations",
    "info",
    on="package",
    evidence=("apple/coremltools#2271", _FLEXIBLE_INPUTS),
    fix="From iOS 18 on, only the n-th shapes of all inputs go together. List the combinations you need.",
)
def paired_enumerations(package: Package) -> Iterator[Match]:
    """Several inputs enumerate shapes."""
    enumerated = [feature for feature in package.interface.inputs if feature.shapes]
    if len(enumerated) > 1:
        names = listed(feature.name for feature in enumerated)
        yield Match(enumerated[0].name, f"{names} enumerate shapes: only the n-th of each go together")


@rule(
    "run-time-shape",
    "perf",
    on="program",
    evidence=("apple/coremltools#2370", "apple/coremltools#1764"),
    fix="Such operations run on the CPU. Fix the input's shape, or give reshape constants and one -1.",
)
def run_time_shape(program: Index) -> Iterator[Match]:
    """A shape is computed while the model runs."""
    for operation in program.of(*_SHAPE_PARAMETERS):
        parameters = _SHAPE_PARAMETERS[operation.type]
        computed = (name for name in parameters if program.name(operation, name) in program.varying)
        parameter = next(computed, None)
        if parameter is not None:
            yield Match(operation.name, f"`{operation.type}` takes its {parameter} at run time")


@rule(
    "data-dependent-size",
    "perf",
    on="program",
    evidence=("apple/coremltools#2825",),
    fix="Keep the size, and mask instead:\ntorch.where(mask, x, torch.zeros_like(x))",
)
def data_dependent_size(program: Index) -> Iterator[Match]:
    """The size of a tensor depends on values."""
    for operation in program.of("non_zero"):
        yield Match(operation.name, "its size depends on the values")


@rule(
    "control-flow",
    "perf",
    on="program",
    evidence=("apple/coremltools#2208",),
    fix="Loops and branches run on the CPU. Use torch.where, or unroll a short loop.",
)
def control_flow(program: Index) -> Iterator[Match]:
    """The program loops or branches while it runs."""
    for operation in program.of("while_loop", "cond"):
        yield Match(operation.name, f"`{operation.type}`")


@rule(
    "long-axis",
    "perf",
    on="program",
    evidence=(
        "microsoft/onnxruntime#19543",
        "apple/coremltools#1003",
        "apple/coremltools#283",
        "https://github.com/sbryngelson/ane-guide (appendices/a-op-device-matrix.md)",
    ),
    fix="From A16 and M4 on, the limit is 65,536. Split or reshape the dimension:\n"
    "x.reshape(1, c, n // 128, 128)",
)
def long_axis(program: Index) -> Iterator[Match]:
    """A dimension is longer than the Neural Engine's 16,384."""
    for operation in program.operations:
        for value in operation.outputs:
            shape = program.shape(value.name)
            greatest = max((size or 0 for size in shape), default=0)
            if greatest > _GREATEST_AXIS and program.dtype(value.name) == "fp16" and len(shape) > 1:
                yield Match(operation.name, f"`{operation.type}` gives {value.type}")


@rule(
    "unaligned-fp16-output",
    "info",
    on="program",
    evidence=("apple/coremltools#1893",),
    fix="Core ML pads such rows, and code that ignores strides reads garbage. Return float32:\n"
    'ct.TensorType(name="y", dtype=np.float32)',
)
def unaligned_fp16_output(program: Index) -> Iterator[Match]:
    """An output is an FP16 matrix whose rows are not a multiple of 32."""
    for name in program.function.block.outputs:
        kind = program.types.get(name)
        if not isinstance(kind, TensorType) or kind.dtype != "fp16" or len(kind.shape) != 2:  # noqa: PLR2004 - of rank 2
            continue
        last = kind.shape[-1]
        if last is not None and last > _LEAST_OUTPUT and last % _ALIGNED:
            yield Match(name, f"{kind}: rows of {last} FP16 values")
