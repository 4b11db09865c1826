"""Size: what does not fit into a file format, and what is stored for nothing."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from coreml_gate.arrays import Array
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Constant, TensorType
from coreml_gate.mil.package import Package
from coreml_gate.rules.evidence import CONVERTER_PASSES, TYPED_EXECUTION
from coreml_gate.rules.rule import Match, rule

_GREATEST_FILE: Final = 2**31
_LARGE_PROGRAM: Final = 16_000_000
_MANY_OPERATIONS: Final = 5000
_LEAST_TWIN: Final = 65536
_MATRIX_RANK: Final = 2
_FEW: Final = 8
_WIDE_WEIGHT: Final = 1_000_000
_UNROLLED: Final = 200


@rule(
    "weights-above-2-gib",
    "perf",
    on="package",
    evidence=("apple/coremltools#2593", "apple/coremltools#1807"),
    fix="The Neural Engine rejects such a file, and before iOS 16 and macOS 13 it does not load at all. "
    "Compress, or split the model:\n"
    "ct.models.utils.bisect_model(model, output_dir)",
)
def weights_above_2_gib(package: Package) -> Iterator[Match]:
    """The weight file is 2 GiB or larger."""
    if package.weight_bytes >= _GREATEST_FILE:
        yield Match(
            "weights", f"the weight file has {package.weight_bytes} bytes, from {_GREATEST_FILE} on it fails"
        )


@rule(
    "large-program",
    "perf",
    on="package",
    evidence=("apple/coremltools#1170",),
    fix="It holds small constants and unrolled loops, and every launch parses it. Use recurrent layers "
    "instead of unrolled loops.",
)
def large_program(package: Package) -> Iterator[Match]:
    """The program itself is large."""
    if package.program_bytes >= _LARGE_PROGRAM:
        yield Match(
            "program", f"the program itself has {package.program_bytes / 1e6:.1f} MB besides the weights"
        )


@rule(
    "many-operations",
    "perf",
    on="program",
    evidence=("apple/ml-stable-diffusion#9", "apple/coremltools#1814"),
    fix="The first load compiles all of them, which takes minutes. Look for an unrolled loop, or split "
    "the model.",
)
def many_operations(program: Index) -> Iterator[Match]:
    """The program has 5000 operations or more."""
    if len(program.operations) >= _MANY_OPERATIONS:
        yield Match(program.function.name, f"{len(program.operations)} operations")


@rule(
    "unrolled-loop",
    "perf",
    on="program",
    evidence=(
        "measured: torch.export unrolls nn.LSTM over its time steps",
        "apple/ml-stable-diffusion#9",
    ),
    fix='Tracing keeps a recurrent layer whole:\nconversion = "trace"',
)
def unrolled_loop(program: Index) -> Iterator[Match]:
    """The capture unrolled a loop."""
    weights: dict[str, int] = {}
    for _, _, name in program.weights():
        weights[name] = weights.get(name, 0) + 1
    for name, count in weights.items():
        if count >= _UNROLLED:
            yield Match(name, f"{count} operations share this weight: an unrolled loop")


@rule(
    "float32-weight",
    "perf",
    on="program",
    evidence=(TYPED_EXECUTION,),
    fix="Let the operation that reads it compute in FP16 too, or compress the weight.",
)
def float32_weight(program: Index) -> Iterator[Match]:
    """A large weight of an FP16 package is stored as float32."""
    halves = any(program.is_half(operation) for operation in program.of("conv", "linear", "matmul"))
    for name, constant in program.constants.items():
        wide = isinstance(constant.type, TensorType) and constant.type.dtype == "fp32"
        if halves and wide and constant.stored_bytes >= _WIDE_WEIGHT:
            yield Match(name, f"{constant.stored_bytes / 1e6:.1f} MB are float32 in a half-precision package")


@rule(
    "transposed-twin",
    "perf",
    on="program",
    evidence=(CONVERTER_PASSES,),
    fix="Equal constants are merged, transposed ones are not. Use one layout for both:\n"
    "logits = nn.functional.linear(x, embedding.weight)",
)
def transposed_twin(program: Index) -> Iterator[Match]:
    """A matrix is stored twice, once transposed."""
    seen: dict[tuple[int, ...], list[tuple[str, Constant]]] = {}
    for name, constant in program.constants.items():
        if not _is_matrix(constant):
            continue
        shape = constant.array.shape
        for other_name, other in seen.get(shape[::-1], ()):
            if _is_transpose(other.array, constant.array):
                yield Match(name, f"the transpose of `{other_name}`, {constant.stored_bytes / 1e6:.1f} MB")
        seen.setdefault(shape, []).append((name, constant))


def _is_transpose(one: Array, other: Array) -> bool:
    """By a few elements first: a whole column touches every page of a matrix in a file."""
    begins_alike = np.array_equal(one[0, :_FEW], other[:_FEW, 0])
    return begins_alike and np.array_equal(one, other.T)


def _is_matrix(constant: Constant) -> bool:
    return (
        isinstance(constant.type, TensorType)
        and len(constant.type.shape) == _MATRIX_RANK
        and constant.array.size >= _LEAST_TWIN
    )
