"""How much do values grow on the Neural Engine, which pads the last axis to a multiple of 64 bytes?

A token count that is not a multiple of 32 costs a transformer: (1, 12, 197, 197) becomes (1, 12, 197, 224).
A last axis of 1 grows 32 times ("Deploying Transformers on the Apple Neural Engine",
machinelearning.apple.com/research/neural-engine-transformers).
"""

import math
from collections.abc import Sequence
from typing import Final

from coreml_gate.mil.ir import Operation, TensorType, Value

SOURCE: Final = "machinelearning.apple.com/research/neural-engine-transformers"
ALIGNED_ELEMENTS: Final = 32
"""64 bytes of halves."""
WORTH_SAYING: Final = 1.1
"""Growth from which on it is said: a tenth more memory and transfer."""


def padded_elements(shape: tuple[int, ...]) -> int:
    """Elements of a value with its last axis padded."""
    last = math.ceil(shape[-1] / ALIGNED_ELEMENTS) * ALIGNED_ELEMENTS
    return math.prod(shape[:-1]) * last


def alignment_note(operations: Sequence[Operation]) -> str:
    """What padding costs over all values of known shape in half precision, and which grows most."""
    shapes = {value.name: shape for each in operations for value in each.outputs if (shape := _shape(value))}
    plain = sum(math.prod(shape) for shape in shapes.values())
    padded = sum(padded_elements(shape) for shape in shapes.values())
    if not plain or padded < WORTH_SAYING * plain:
        return ""
    name = max(shapes, key=lambda each: padded_elements(shapes[each]) - math.prod(shapes[each]))
    return (
        f"the Neural Engine pads the last axis to {ALIGNED_ELEMENTS} halves: this program's values grow to "
        f"{padded / plain:.2g} times their size, `{name}` {shapes[name]} most ({SOURCE})"
    )


def _shape(value: Value) -> tuple[int, ...]:
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.dtype != "fp16" or None in type_.shape:
        return ()
    return tuple(size or 0 for size in type_.shape)
