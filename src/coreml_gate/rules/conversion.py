"""Conversion faults that show in the saved program, such as outputs that no longer depend on an input."""

from collections.abc import Iterator
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.mil.integer_bounds import IntegerBounds
from coreml_gate.mil.ir import Operation
from coreml_gate.mil.package import Package
from coreml_gate.rules.rule import Match, rule

_LEAST_EPSILON: Final = 1e-8
_GREATEST_SHORT: Final = 2**15 - 1


@rule(
    "constant-output",
    "silent",
    on="program",
    evidence=("apple/coremltools#2204", "apple/coremltools#1065"),
    fix="The trace made what the output depends on a constant. Compute it from the inputs, or convert by "
    "the export route:\n"
    'conversion = "export"',
)
def constant_output(program: Index) -> Iterator[Match]:
    """An output is the same for every input."""
    for name in program.function.block.outputs:
        if name not in program.varying:
            yield Match(name, "no input reaches it: it is the same for every prediction")


@rule(
    "unread-input",
    "info",
    on="program",
    evidence=("apple/coremltools#2204",),
    fix="The app must still provide it. Remove it from forward, or use it.",
)
def unread_input(program: Index) -> Iterator[Match]:
    """No operation reads an input."""
    outputs = program.function.block.outputs
    for value in program.function.inputs:
        readers = program.readers.get(value.name, ())
        idle = all(reader.type == "identity" and _leads_nowhere(program, reader) for reader in readers)
        if idle and value.name not in outputs:
            yield Match(value.name, "no operation reads it")


def _leads_nowhere(program: Index, operation: Operation) -> bool:
    """Whether only an unused identity reads the input, which coremltools adds to unread inputs."""
    return operation.name not in (*program.readers, *program.function.block.outputs)


@rule(
    "power-of-two",
    "silent",
    on="program",
    evidence=("apple/coremltools#2628", "apple/coremltools#2742"),
    fix="Write it as an exponential:\ntorch.exp(y * math.log(2))",
    versions="up to 9.0",
)
def power_of_two(program: Index) -> Iterator[Match]:
    """2 is raised to a computed power, which the converter translates wrongly."""
    for operation in program.of("pow"):
        if program.scalar(operation, "x") == 2 and program.name(operation, "y") in program.varying:  # noqa: PLR2004 - the base that is wrong
            yield Match(operation.name, "2 ** y is computed as y ** 2 on the device")


@rule(
    "reciprocal-epsilon",
    "silent",
    on="program",
    evidence=("apple/coremltools#2773", "measured: coremltools 9.0 gives 2500 for 1 / 0.0003"),
    fix="Divide by the tensor instead, which converts to a division:\ntorch.ones_like(x) / x",
    versions="up to 9.0",
)
def reciprocal_epsilon(program: Index) -> Iterator[Match]:
    """A reciprocal adds an epsilon to its operand, which is not small beside it."""
    for operation in program.of("inverse"):
        epsilon = program.scalar(operation, "epsilon")
        if (
            epsilon is not None
            and epsilon > _LEAST_EPSILON
            and not _is_guarded(program, program.name(operation, "x"))
        ):
            yield Match(operation.name, f"1 / x is computed as 1 / (x + {epsilon:.3g})")


def _is_guarded(program: Index, name: str | None) -> bool:
    """Whether the value is bounded away from zero, so that the epsilon does not matter."""
    made = program.origin(name)
    return made is not None and made.type in {"add", "clip", "maximum", "exp"}


@rule(
    "narrowed-integers",
    "silent",
    on="package",
    evidence=("apple/coremltools#2626", "kasper0406/stablehlo-coreml#107"),
    fix="Values below zero or beyond 16 bits come out wrong. Skip the pass:\n"
    'skip-passes = ["common::add_int16_cast"]',
    versions="7.0 to 9.0",
)
def narrowed_integers(package: Package) -> Iterator[Match]:
    """Integers are cast to 16 bits before a gather."""
    program = Index(package.function())
    bounds = IntegerBounds(program, package.interface.inputs)
    for operation in program.of("cast"):
        dtype, name = program.text(operation, "dtype"), program.name(operation, "x")
        if dtype not in {"int16", "uint16"} or program.dtype(name) != "int32" or name not in program.varying:
            continue
        if bounds.greatest(name) <= _GREATEST_SHORT:
            continue
        for reader in program.readers.get(operation.name, ()):
            if program.name(reader, "x") == operation.name and reader.type.startswith("gather"):
                yield Match(operation.name, f"integers gathered by `{reader.name}` are cut to {dtype}")


@rule(
    "random-numbers",
    "info",
    on="program",
    evidence=("apple/coremltools#2568", "apple/coremltools#2204"),
    fix="They cannot be compared with torch's, and the app cannot seed them. Take the noise as an input:\n"
    "def forward(self, x, noise): ...",
)
def random_numbers(program: Index) -> Iterator[Match]:
    """The package draws random numbers."""
    for operation in program.operations:
        if operation.type.startswith("random_"):
            yield Match(operation.name, f"`{operation.type}` draws other numbers than torch")
