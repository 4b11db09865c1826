"""Half precision: constants, indices and casts that FP16 changes."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from coreml_gate.arrays import Array, greatest_magnitude
from coreml_gate.floats import GREATEST_HALF, HALF_INTEGERS, LEAST_HALF
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import Operation
from coreml_gate.mil.weights import release
from coreml_gate.rules.evidence import TYPED_EXECUTION
from coreml_gate.rules.rule import Match, ProgramPair, rule

_CHANGED: Final = 0.1
"""Rounding alone never changes a constant by more than this, except near the smallest FP16 number, 6e-8."""
_INDEX_STEPS: Final = 4
_INDEX_MATH: Final = frozenset({"add", "select", "greater_equal", "mod", "mul", "sub"})
_HALF_SUFFIX: Final = "_to_fp16"
_AS_INTEGERS: Final = "Declare the input as integers in the model's table (with `ct.TensorType` in a script):"
_INTEGER_INPUT: Final = '[[model.input]]\nname = "{}"\ndtype = "int32"'
_SMALLER: Final = (
    "Use a number that FP16 holds, such as -1e4 for a mask. The operation then runs in FP16, and the softmax "
    "of a fully masked row is not NaN."
)
_EPSILONS: Final = {
    "layer_norm": "epsilon",
    "batch_norm": "epsilon",
    "instance_norm": "epsilon",
    "l2_norm": "epsilon",
}


@rule(
    "fp16-infinite-constant",
    "info",
    on="program",
    evidence=(
        "apple/coremltools#2669",
        "measured: coremltools 9.0 adds a mask of -1e9 in float32 and casts it",
    ),
    fix=f"The softmax of a fully masked row is NaN. Mask with a number that FP16 holds "
    f"(at most {GREATEST_HALF:.0f}):\nscores = scores.masked_fill(mask, -1e4)",
)
def fp16_infinite_constant(program: Index) -> Iterator[Match]:
    """A finite constant becomes infinite when its result is cast to FP16."""
    for operation, constant in _wide_summands(program):
        reach = float(np.abs(constant[np.isfinite(constant)]).max(initial=0))
        if reach > GREATEST_HALF:
            yield Match(
                operation.name,
                f"constants of up to {reach:.4g} become infinite when the result is cast to FP16",
            )


def _wide_summands(program: Index) -> Iterator[tuple[Operation, Array]]:
    """Float32 operations with a constant operand whose result is cast to FP16 immediately.

    coremltools keeps an operation in float32 when a constant of it overflows, and narrows its result.
    """
    for operation in program.of("add", "sub", "mul", "select"):
        narrowed = any(
            reader.type == "cast" and program.text(reader, "dtype") == "fp16"
            for reader in program.readers.get(operation.name, ())
        )
        for parameter in ("x", "y", "a", "b") if narrowed else ():
            constant = program.numbers(operation, parameter)
            if constant is not None and constant.dtype == np.float32:
                yield operation, constant


@rule(
    "fp16-masked-row",
    "silent",
    on="program",
    evidence=(
        "apple/coremltools#2669",
        "measured: the runtime gives NaN where torch gives equal weights",
    ),
    fix="Mask with a number that fits into FP16:\nscores = scores + mask.clamp(min=-1e4)",
)
def fp16_masked_row(program: Index) -> Iterator[Match]:
    """A mask value that overflows FP16 fills a whole row, so its softmax is NaN."""
    for operation, constant in _wide_summands(program):
        if operation.type != "add" or not any(user.type == "softmax" for user in program.users(operation)):
            continue
        lost = np.isfinite(constant) & (constant < -GREATEST_HALF)
        rows = int(lost.reshape(-1, constant.shape[-1]).all(axis=-1).sum()) if constant.ndim > 1 else 0
        if rows:
            yield Match(operation.name, f"{rows} rows are fully masked: their softmax is NaN")


@rule(
    "fp16-changed-constant",
    "info",
    on="twins",
    evidence=("pytorch/pytorch#32137", "measured: coremltools 9.0 stores 1e-9 as 6e-8, the least half"),
    fix="A changed epsilon guards another range. Use one that FP16 holds:\nx / (norm + 1e-4)",
)
def fp16_changed_constant(twins: ProgramPair) -> Iterator[Match]:
    """A small constant has another value in FP16."""
    for name, value, wide in _scalars(twins):
        if wide != 0 and abs(value / wide - 1) > _CHANGED:
            yield Match(name, f"{wide:.3g} becomes {value:.3g}")


def _scalars(twins: ProgramPair) -> Iterator[tuple[str, float, float]]:
    """Constants of one float number: name, FP16 value and float32 value."""
    for name, constant in twins.shipped.constants.items():
        wide = twins.wide.constants.get(name.removesuffix(_HALF_SUFFIX))
        if wide is None or constant.array.size != 1 or wide.array.size != 1:
            continue
        if constant.array.dtype == np.float16 and wide.array.dtype == np.float32:
            yield name, float(constant.array.reshape(-1)[0]), float(wide.array.reshape(-1)[0])


@rule(
    "fp16-rounded-integers",
    "info",
    on="twins",
    evidence=("IEEE 754 binary16: 11 significant bits hold every integer up to 2048",),
    fix="Keep positions and indices as integers, which stay exact:\n"
    "positions = torch.arange(n, dtype=torch.int32)",
)
def fp16_rounded_integers(twins: ProgramPair) -> Iterator[Match]:
    """Whole numbers above 2048 are rounded in FP16."""
    for name, constant in twins.shipped.constants.items():
        wide = twins.wide.constants.get(name.removesuffix(_HALF_SUFFIX))
        if wide is None or constant.array.dtype != np.float16 or wide.array.dtype != np.float32:
            continue
        changed = _rounded_whole_numbers(wide.array, constant.array)
        release(wide.data)
        if changed:
            yield Match(name, f"{changed} of {wide.array.size} whole numbers are rounded")


def _rounded_whole_numbers(exact: Array, halves: Array) -> int:
    """How many whole numbers of a constant change in FP16; 0 for a constant with fractions."""
    if exact.size < 2 or exact.size != halves.size or greatest_magnitude(exact) <= HALF_INTEGERS:  # noqa: PLR2004  # one number is a setting
        return 0
    if not (exact == np.round(exact)).all():
        return 0
    return int((exact.reshape(-1) != halves.reshape(-1).astype(np.float32)).sum())


@rule(
    "fp16-tiny-epsilon",
    "info",
    on="program",
    evidence=("pytorch/pytorch#41527", "measured: coremltools 9.0 turns 1e-12 into 6e-8"),
    fix="x / epsilon overflows near zero. Use 1e-5 or more:\nnn.LayerNorm(n, eps=1e-5)",
)
def fp16_tiny_epsilon(program: Index) -> Iterator[Match]:
    """An epsilon is too small for FP16."""
    for operation in program.of(*_EPSILONS):
        epsilon = program.scalar(operation, _EPSILONS[operation.type])
        if epsilon is not None and program.is_half(operation) and abs(epsilon) < 2 * LEAST_HALF:
            yield Match(operation.name, f"`{operation.type}` with epsilon {epsilon:.3g} in half precision")


@rule(
    "fp16-indices",
    "silent",
    on="program",
    evidence=("IEEE 754 binary16: 11 significant bits hold every integer up to 2048",),
    fix=f"{_AS_INTEGERS}\n" + _INTEGER_INPUT.format("ids"),
)
def fp16_indices(program: Index) -> Iterator[Match]:
    """The indices of a large table pass through FP16."""
    for value in program.function.inputs:
        if program.dtype(value.name) != "fp16":
            continue
        for reader in program.readers.get(value.name, ()):
            dtype = program.text(reader, "dtype")
            if reader.type != "cast" or not dtype.startswith(("int", "uint")):
                continue
            rows = [_rows(program, user) for user in _gathers(program, reader, _INDEX_STEPS)]
            if max(rows, default=0) > HALF_INTEGERS:
                text = f"indices of a table with {max(rows)} rows are passed as FP16"
                yield Match(value.name, text, fix=f"{_AS_INTEGERS}\n{_INTEGER_INPUT.format(value.name)}")


def _gathers(program: Index, operation: Operation, steps: int) -> Iterator[Operation]:
    """The gathers that an index reaches, through the steps that make negative indices positive."""
    for user in program.users(operation):
        if user.type.startswith("gather"):
            yield user
        elif user.type in _INDEX_MATH and steps:
            yield from _gathers(program, user, steps - 1)


def _rows(program: Index, gather: Operation) -> int:
    return program.size(program.name(gather, "x"), program.scalar(gather, "axis") or 0)


@rule(
    "fp16-cast-pairs",
    "perf",
    on="program",
    evidence=(TYPED_EXECUTION,),
    fix="Keep its neighbours in float32 too, or none of them: each cast may end a segment that runs on "
    "one compute unit.",
)
def fp16_cast_pairs(program: Index) -> Iterator[Match]:
    """A single operation runs in float32 between two casts."""
    for operation in program.of("cast"):
        if program.text(operation, "dtype") != "fp32" or program.input_dtype(operation, "x") != "fp16":
            continue
        readers = program.readers.get(operation.name, ())
        if len(readers) == 1 and _is_narrowed_at_once(program, readers[0]):
            yield _alone(program, readers[0])


def _alone(program: Index, operation: Operation) -> Match:
    """The match of a lone float32 operation, with the constant beyond FP16 that keeps it there, if any."""
    text = f"`{operation.type}` alone runs in float32 between two casts"
    values = [program.numbers(operation, name) for name in operation.inputs]
    beyond = [
        float(value.flat[np.abs(value).argmax()])
        for value in values
        if value is not None and value.dtype.kind == "f" and value.size
        if GREATEST_HALF < np.abs(value).max() < np.inf
    ]
    if not beyond:
        return Match(operation.name, text)
    because = f", because FP16 does not hold its constant {beyond[0]:.3g}"
    return Match(operation.name, text + because, fix=_SMALLER)


def _is_narrowed_at_once(program: Index, operation: Operation) -> bool:
    readers = program.readers.get(operation.name, ())
    return bool(readers) and all(
        reader.type == "cast" and program.text(reader, "dtype") == "fp16" for reader in readers
    )
