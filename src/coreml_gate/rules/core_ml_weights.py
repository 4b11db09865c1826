"""Compressed weights that Core ML rejects or reads wrongly, by system and compute unit."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from coreml_gate.arrays import share_of_subnormals
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation
from coreml_gate.mil.weights import release
from coreml_gate.rules.evidence import FRONT_END_TESTS, MIL_TESTS
from coreml_gate.rules.rule import Match, rule

_TOOLS: Final = "https://github.com/apple/coremltools/blob/9.0/coremltools"
_MANY: Final = 0.05


@rule(
    "compressed-output",
    "fatal",
    on="program",
    evidence=(f"{_TOOLS}/test/optimize/coreml/test_passes.py (rdar 108274019)",),
    fix="Core ML rejects a compressed constant as an output. Leave it uncompressed, or store it in the app.",
)
def compressed_output(program: Index) -> Iterator[Match]:
    """An output is a compressed weight itself."""
    outputs = set(program.function.block.outputs)
    for operation in program.packed:
        if operation.type.startswith("constexpr_") and outputs & {value.name for value in operation.outputs}:
            yield Match(operation.name, f"`{operation.type}` is an output")


@rule(
    "compressed-vector",
    "info",
    on="program",
    evidence=(f"{_TOOLS}/optimize/coreml/_quantization_passes.py (rdar 113860800)",),
    fix="coremltools does not compress vectors, because of a bug in Core ML. Leave them uncompressed.",
)
def compressed_vector(program: Index) -> Iterator[Match]:
    """A vector of weights is compressed."""
    for operation in program.packed:
        users = program.users(operation)
        expanded = any(user.type.startswith("constexpr_") for user in users)
        if users and not expanded and len(program.shape(operation.name)) <= 1:
            yield Match(operation.name, f"`{operation.type}` of {program.types[operation.name]}")


@rule(
    "palette-of-integers",
    "info",
    on="program",
    evidence=(
        f"{MIL_TESTS}/iOS18/test_compression.py (test_quant_lut: fixed in macOS 15.2; rdar 148464551)",
        f"{FRONT_END_TESTS}/test_torch_quantization_ops.py (test_palettization_8bit_lut, rdar 148354519)",
    ),
    fix="Before iOS 18.2 and macOS 15.2, Core ML reads such weights wrongly. Keep the table in FP16:\n"
    "OpPalettizerConfig(nbits=4, lut_dtype=None)",
)
def palette_of_integers(program: Index) -> Iterator[Match]:
    """The lookup table of a palette is itself quantized to integers."""
    for operation in program.of("constexpr_lut_to_dense"):
        maker = program.maker(operation, "lut")
        if maker is not None and maker.type == "constexpr_blockwise_shift_scale":
            yield Match(operation.name, "a palette of quantized entries")


@rule(
    "scale-per-weight",
    "info",
    on="program",
    evidence=(f"{MIL_TESTS}/iOS18/test_compression.py (rdar 125854036)",),
    fix="The CPU fails on 4-bit weights in blocks of one. Use blocks of 16 or more:\n"
    "[model.compress]\n"
    "block-size = 32",
)
def scale_per_weight(program: Index) -> Iterator[Match]:
    """Every 4-bit weight has its own scale."""
    for operation in program.of("constexpr_blockwise_shift_scale"):
        scale = program.input_shape(operation, "scale") or _constant_shape(program, operation)
        shape = program.shape(operation.name)
        bits = program.input_dtype(operation, "data")
        if bits in {"int4", "uint4"} and len(shape) > 1 and scale[1:] == shape[1:]:
            yield Match(operation.name, f"{bits}, scales of the shape {list(scale)} for {list(shape)}")


def _constant_shape(program: Index, operation: Operation) -> tuple[int | None, ...]:
    scale = program.numbers(operation, "scale")
    return () if scale is None else scale.shape


@rule(
    "pruned-recurrent-weights",
    "info",
    on="program",
    evidence=(f"{_TOOLS}/test/optimize/coreml/test_post_training_quantization.py (rdar 137003019)",),
    fix="The CPU computes such an LSTM wrongly. Prune it or quantize it, not both.",
)
def pruned_recurrent_weights(program: Index) -> Iterator[Match]:
    """The weights of an LSTM are both pruned and quantized."""
    for operation in program.of("lstm"):
        for parameter in ("weight_ih", "weight_hh"):
            maker = program.maker(operation, parameter)
            inner = None if maker is None else program.maker(maker, "nonzero_data")
            if inner is not None and inner.type == "constexpr_sparse_blockwise_shift_scale":
                yield Match(operation.name, f"`{parameter}` is pruned and quantized")


@rule(
    "subnormal-weights",
    "info",
    on="program",
    evidence=("https://github.com/sbryngelson/ane-guide (part-1-machine/03-numerics.md)",),
    fix="The Neural Engine of M1 reads them as 0 in sums of products (M5 keeps them). Scale the weight up "
    "and the result down.",
)
def subnormal_weights(program: Index) -> Iterator[Match]:
    """Many weights are subnormal in FP16, below 6.1e-5."""
    for operation, parameter, name in program.weights():
        constant = program.constants.get(name)
        if constant is None or program.dtype(name) != "fp16":
            continue
        share = share_of_subnormals(np.asarray(constant.array, np.float16))
        release(constant.data)
        if share > _MANY:
            yield Match(operation.name, f"{share:.0%} of `{parameter}` lie below 6.1e-5")
