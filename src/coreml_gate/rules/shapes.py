"""Shapes and flexible inputs: ranges, enumerations, ranks, and sizes known only at run time."""

from collections.abc import Iterator
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import TensorType
from coreml_gate.mil.package import Package
from coreml_gate.rules.rule import Match, Rule

_FLEXIBLE_INPUTS: Final = "https://apple.github.io/coremltools/docs-guides/source/flexible-inputs.html"
_GREATEST_RANK: Final = 5
_GREATEST_ENUMERATION: Final = 128
_GREATEST_AXIS: Final = 16384
_WIDE_RANGE: Final = 64
_ALIGNED: Final = 32
_LEAST_OUTPUT: Final = 64


def _ranged_input(package: Package) -> Iterator[Match]:
    for feature in package.interface.inputs:
        if feature.ranges and any(low != high for low, high in feature.ranges):
            yield Match(feature.name, f"takes shapes {feature.wanted()}")


def _open_range(package: Package) -> Iterator[Match]:
    for feature in package.interface.inputs:
        if any(high is None for _, high in feature.ranges):
            yield Match(feature.name, f"takes shapes {feature.wanted()}, without a greatest size")


def _wide_range(package: Package) -> Iterator[Match]:
    for feature in package.interface.inputs:
        if not feature.ranges or any(high is None for _, high in feature.ranges):
            continue
        factor = 1.0
        for size, (_, high) in zip(feature.shape, feature.ranges, strict=False):
            factor *= (high or size) / max(size, 1)
        if factor >= _WIDE_RANGE:
            yield Match(feature.name, f"the greatest shape has {factor:.0f} times the default's elements")


def _enumerated_layer_norm(package: Package) -> Iterator[Match]:
    enumerated = [feature.name for feature in package.interface.inputs if feature.shapes]
    norms = list(Index(package.function()).of("layer_norm")) if enumerated else []
    if norms:
        yield Match(enumerated[0], f"enumerated shapes with {len(norms)} `layer_norm`")


def _many_shapes(package: Package) -> Iterator[Match]:
    for feature in package.interface.inputs:
        if len(feature.shapes) > _GREATEST_ENUMERATION:
            yield Match(feature.name, f"{len(feature.shapes)} enumerated shapes")


def _several_enumerations(package: Package) -> Iterator[Match]:
    enumerated = [feature for feature in package.interface.inputs if feature.shapes]
    if len(enumerated) > 1:
        names = ", ".join(f"`{feature.name}`" for feature in enumerated)
        yield Match(enumerated[0].name, f"{names} enumerate shapes: only the n-th of each go together")


def _high_rank(program: Index) -> Iterator[Match]:
    for operation in program.operations:
        for value in operation.outputs:
            if len(program.shape(value.name)) > _GREATEST_RANK:
                yield Match(operation.name, f"`{operation.type}` gives {value.type}")


def _empty_value(program: Index) -> Iterator[Match]:
    for operation in program.operations:
        for value in operation.outputs:
            if 0 in program.shape(value.name):
                yield Match(operation.name, f"`{operation.type}` gives {value.type}")


def _run_time_shape(program: Index) -> Iterator[Match]:
    for operation in program.of("reshape", "fill", "tile", "slice_by_index", "slice_by_size", "broadcast_to"):
        parameters = {
            "reshape": ("shape",),
            "fill": ("shape",),
            "tile": ("reps",),
            "broadcast_to": ("shape",),
        }
        for parameter in parameters.get(operation.type, ("begin", "end", "size")):
            if program.name(operation, parameter) in program.varying:
                yield Match(operation.name, f"`{operation.type}` takes its {parameter} at run time")
                break


def _data_dependent_size(program: Index) -> Iterator[Match]:
    for operation in program.of("non_zero"):
        yield Match(operation.name, "its size depends on the values")


def _control_flow(program: Index) -> Iterator[Match]:
    for operation in program.of("while_loop", "cond"):
        yield Match(operation.name, f"`{operation.type}`")


def _long_axis(program: Index) -> Iterator[Match]:
    for operation in program.operations:
        for value in operation.outputs:
            shape = program.shape(value.name)
            greatest = max((size or 0 for size in shape), default=0)
            if greatest > _GREATEST_AXIS and program.dtype(value.name) == "fp16" and len(shape) > 1:
                yield Match(operation.name, f"`{operation.type}` gives {value.type}")


def _unaligned_output(program: Index) -> Iterator[Match]:
    for name in program.function.block.outputs:
        kind = program.types.get(name)
        if not isinstance(kind, TensorType) or kind.dtype != "fp16" or len(kind.shape) != 2:  # noqa: PLR2004 - of rank 2
            continue
        last = kind.shape[-1]
        if last is not None and last > _LEAST_OUTPUT and last % _ALIGNED:
            yield Match(name, f"{kind}: rows of {last} halves")


RULES: Final = (
    Rule(
        id="rank-above-5",
        severity="fatal",
        part="program",
        question="Has a value more than five dimensions?",
        evidence=("apple/coremltools#1723", "apple/coremltools#2291"),
        fix="Merge dimensions around the operation:\nx.reshape(b * h1, h2, w1, w2, c).permute(...)",
        find=_high_rank,
    ),
    Rule(
        id="empty-value",
        severity="fatal",
        part="program",
        question="Has a value no elements?",
        evidence=("apple/coremltools#1635", "microsoft/onnxruntime#23262"),
        fix="Core ML has no empty tensors: leave the slice or the concatenated piece out.",
        find=_empty_value,
    ),
    Rule(
        id="range-shape",
        severity="perf",
        part="package",
        question="Does an input take a range of shapes?",
        evidence=("apple/coremltools#2370", "apple/coremltools#1764", _FLEXIBLE_INPUTS),
        fix=(
            "Ranges leave the Neural Engine for any shape but the default. Enumerate the shapes you need:\n"
            "[[model.input]]\nshapes = [[1, 64], [1, 128]]"
        ),
        find=_ranged_input,
    ),
    Rule(
        id="open-range",
        severity="perf",
        part="package",
        question="Has an input a dimension without a greatest size?",
        evidence=(_FLEXIBLE_INPUTS,),
        fix="Give it one, from which memory can be planned:\nshape = [1, [1, 512]]",
        find=_open_range,
    ),
    Rule(
        id="wide-range",
        severity="perf",
        part="package",
        question="Is an input's greatest shape far above its default?",
        evidence=("john-rocky/CoreML-Models#5", "apple/coremltools#1988", _FLEXIBLE_INPUTS),
        fix="Buffers may be planned for the greatest shape: bound the range by what the app really sends.",
        find=_wide_range,
    ),
    Rule(
        id="enumerated-layer-norm",
        severity="perf",
        part="package",
        question="Do enumerated shapes meet a layer_norm?",
        evidence=("apple/coremltools#1909",),
        fix="There, 175 ms became 20 ms with one fixed shape: fix the shape, or ship one function per shape.",
        find=_enumerated_layer_norm,
    ),
    Rule(
        id="too-many-shapes",
        severity="fatal",
        part="package",
        question="Does an input enumerate more shapes than Core ML takes?",
        evidence=("apple/coremltools#989", _FLEXIBLE_INPUTS),
        fix=f"At most {_GREATEST_ENUMERATION} are allowed: round sizes up to a step, and pad.",
        find=_many_shapes,
    ),
    Rule(
        id="paired-enumerations",
        severity="info",
        part="package",
        question="Do several inputs enumerate shapes?",
        evidence=("apple/coremltools#2271", _FLEXIBLE_INPUTS),
        fix="From iOS 18 on only the n-th shape of each input go together: list the combinations you need.",
        find=_several_enumerations,
    ),
    Rule(
        id="run-time-shape",
        severity="perf",
        part="program",
        question="Is a shape computed while the model runs?",
        evidence=("apple/coremltools#2370", "apple/coremltools#1764"),
        fix="Such operations run on the CPU. Fix the input's shape, or give reshape constants and one -1.",
        find=_run_time_shape,
    ),
    Rule(
        id="data-dependent-size",
        severity="perf",
        part="program",
        question="Does a size depend on the values?",
        evidence=("apple/coremltools#2825",),
        fix="Keep the size and mask instead:\ntorch.where(mask, x, torch.zeros_like(x))",
        find=_data_dependent_size,
    ),
    Rule(
        id="control-flow",
        severity="perf",
        part="program",
        question="Does the program loop or branch while it runs?",
        evidence=("apple/coremltools#2208",),
        fix="Loops and branches run on the CPU. Write them with torch.where, or unroll a short one.",
        find=_control_flow,
    ),
    Rule(
        id="long-axis",
        severity="perf",
        part="program",
        question="Is a dimension longer than the Neural Engine's 16384?",
        evidence=("microsoft/onnxruntime#19543", "apple/coremltools#1003", "apple/coremltools#283"),
        fix="Split or reshape it:\nx.reshape(1, c, n // 128, 128)",
        find=_long_axis,
    ),
    Rule(
        id="unaligned-fp16-output",
        severity="info",
        part="program",
        question="Is an output a matrix of halves whose rows are no multiple of 32?",
        evidence=("apple/coremltools#1893",),
        fix="Rows come padded there, and code that ignores strides reads garbage. Give out float32:\n"
        'ct.TensorType(name="y", dtype=np.float32)',
        find=_unaligned_output,
    ),
)
