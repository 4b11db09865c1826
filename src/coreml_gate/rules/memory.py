"""Memory: layers that need far more memory than their shapes suggest."""

import math
from collections.abc import Iterator
from typing import Final

from coreml_gate.mil.index import Index
from coreml_gate.rules.evidence import NEURAL_ENGINE_TRANSFORMERS
from coreml_gate.rules.rule import Match, rule

_MB: Final = 1_000_000
_KERNEL_GROWTH: Final = 4.0
_SCORES: Final = 64 * _MB
_LARGE_VALUE: Final = 128 * _MB
_LARGE_STATES: Final = 256 * _MB
_COLUMNS: Final = 256 * _MB


@rule(
    "dilated-kernel-memory",
    "perf",
    on="program",
    evidence=(
        (
            "measured: coremltools 9.0 keeps 3x3 with dilation 6 as one `conv`, 18.8 times as "
            "large when padded"
        ),
    ),
    fix="Engines that pad the kernel with zeros pay for ((k - 1) d + 1)^2 weights. Convolve a rearranged "
    "image instead:\n"
    "x = nn.functional.pixel_unshuffle(x, d)  # then a plain convolution, then pixel_shuffle",
)
def dilated_kernel_memory(program: Index) -> Iterator[Match]:
    """A dilated kernel takes far more memory than its weights once it is padded with zeros."""
    for operation in program.of("conv"):
        dilations = program.numbers(operation, "dilations")
        weight = program.name(operation, "weight")
        kernel = program.shape(weight)[2:]
        if dilations is None or not kernel:
            continue
        padded = [
            (size or 1) * int(step) - int(step) + 1 for size, step in zip(kernel, dilations, strict=False)
        ]
        growth = math.prod(padded) / math.prod(size or 1 for size in kernel)
        if growth >= _KERNEL_GROWTH:
            size = program.bytes(weight) * growth / _MB
            yield Match(
                operation.name,
                f"a kernel of {list(kernel)} as {padded} is {growth:.1f} times as large, {size:.2f} MB",
            )


@rule(
    "attention-memory",
    "perf",
    on="program",
    evidence=(NEURAL_ENGINE_TRANSFORMERS,),
    fix="Process the queries in chunks, one after the other:\n"
    "torch.cat([attend(q, k, v) for q in queries.split(512, dim=-2)], dim=-2)",
)
def attention_memory(program: Index) -> Iterator[Match]:
    """Attention scores take more than 64 MB."""
    for operation in program.of("softmax"):
        made = program.maker(operation, "x")
        size = program.bytes(operation.name)
        if made is not None and size >= _SCORES:
            kind = program.types[operation.name]
            yield Match(
                operation.name, f"scores {kind} take {size / _MB:.0f} MB, twice while they are normalised"
            )


@rule(
    "large-value",
    "perf",
    on="program",
    evidence=("john-rocky/CoreML-Models#5", "apple/coremltools#2590"),
    fix="Process the image in tiles, or lower the resolution before this layer.",
)
def large_value(program: Index) -> Iterator[Match]:
    """A single tensor takes more than 128 MB."""
    for operation in program.operations:
        for value in operation.outputs:
            if value.name in program.varying and program.bytes(value.name) >= _LARGE_VALUE:
                yield Match(
                    operation.name,
                    f"`{operation.type}` gives {value.type}: {program.bytes(value.name) / _MB:.0f} MB",
                )


@rule(
    "large-states",
    "perf",
    on="program",
    evidence=("https://apple.github.io/coremltools/docs-guides/source/stateful-models.html",),
    fix="Shorten the cache, or share keys and values among heads (grouped-query attention).",
)
def large_states(program: Index) -> Iterator[Match]:
    """The states take more than 256 MB."""
    states = [value.name for value in program.function.inputs if type(value.type).__name__ == "StateType"]
    size = sum(2 * program.elements(name) for name in states)
    if size >= _LARGE_STATES:
        yield Match(
            states[0], f"{len(states)} states take {size / _MB:.0f} MB for the lifetime of the session"
        )


@rule(
    "im2col-memory",
    "perf",
    on="program",
    evidence=("Chellapilla, Puri, Simard: High performance convolutional neural networks, 2006",),
    fix="Split the kernel in two (k x 1, then 1 x k), or process the image in tiles.",
)
def im2col_memory(program: Index) -> Iterator[Match]:
    """Unfolding the input of a convolution (im2col) would take more than 256 MB."""
    for operation in program.of("conv"):
        kernel = program.input_shape(operation, "weight")[1:]
        space = program.shape(operation.name)[2:]
        grouped = (program.scalar(operation, "groups") or 1) > 1
        if not kernel or not space or grouped:
            continue
        size = 2 * math.prod(item or 1 for item in (*kernel, *space))
        if size >= _COLUMNS and math.prod(item or 1 for item in kernel[1:]) > 1:
            yield Match(operation.name, f"unfolded to columns (im2col) its input takes {size / _MB:.0f} MB")
