"""Skips work of coremltools that has no effect on a conversion."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import numpy as np
from coremltools.converters.mil.backend.mil import helper as writing
from coremltools.converters.mil.mil import Block, Function
from coremltools.converters.mil.mil.ops.defs.iOS15.control_flow import Const
from coremltools.converters.mil.mil.passes.defs.quantization import FP16ComputePrecision

from coreml_gate.arrays import Array
from coreml_gate.conversion.replaced import replaced
from coreml_gate.floats import GREATEST_HALF
from coreml_gate.untyped import CoreMlObject

_COMPRESSED: Final = "constexpr_"
_SMALL: Final = 400
"""From this number of elements on, coremltools accepts values that become zero in half precision."""


@contextmanager
def quick_conversion() -> Iterator[None]:
    """Within the block, coremltools converts with less work; what it saves and what it raises are the same.

    Each replacement checks the same conditions as coremltools' own function, and calls that function if one
    does not hold. A version without one of these names is left unchanged.
    """
    with ExitStack() as stack:
        for (owner, name), made_of in _REPLACED.items():
            stack.enter_context(replaced(owner, name, made_of))
        yield


def _validating(original: CoreMlObject) -> CoreMlObject:
    """The program is validated after each of a hundred passes: list its inputs once, not five times."""

    def validate(
        function: CoreMlObject, *, force_validate: bool = False, check_essential_scope: bool = False
    ) -> None:
        if not force_validate or not _is_sound(function):
            original(function, force_validate, check_essential_scope)
        elif check_essential_scope:
            function._check_has_scope_info()  # noqa: SLF001  # the last part of the original

    return validate


def _is_sound(function: CoreMlObject) -> bool:
    """Whether inputs are defined before they are read, and values and readers refer to each other."""
    operations = list(function.operations)
    if any(each.blocks or each.outputs is None for each in operations):
        return False
    visible, internal = {*function.inputs.values()}, set()
    read = Counter[tuple[CoreMlObject, CoreMlObject]]()
    for operation in operations:
        inputs = operation.get_flattened_inputs()
        internal.update(operation.internal_inputs.values())
        if not all(value in visible for value in inputs):
            return False
        read.update((value, operation) for value in inputs)
        visible.update(operation.outputs)
    known = Counter((value, reader) for value in visible for reader in value.child_ops)
    return read == known and internal == function._internal_vars and _outputs_fit(function, visible)  # noqa: SLF001  # as the original


def _outputs_fit(function: CoreMlObject, values: set[CoreMlObject]) -> bool:
    """Whether a block's outputs and their values refer to each other."""
    given = all(value in block.outputs for value in values for block in value.consuming_blocks)
    return given and all(function in value.consuming_blocks for value in function.outputs)


def _propagating(original: CoreMlObject) -> CoreMlObject:
    """After each pass the compressed weights above each value are collected: most programs have none."""

    def propagate(block: CoreMlObject) -> None:
        operations = list(block.operations)
        if any(each.blocks or each.op_type.startswith(_COMPRESSED) for each in operations):
            original(block)
            return
        for operation in operations:
            for value in operation.outputs or ():
                value.nonreplaceable_vars_upstream = set()

    return propagate


def _inferring(original: CoreMlObject) -> CoreMlObject:
    """A constant is inferred again: do not compare its elements with themselves."""

    def infer(constant: CoreMlObject, *, overwrite_output: bool = False) -> None:
        if not (overwrite_output and _has_its_value(constant)):
            original(constant, overwrite_output=overwrite_output)

    return infer


def _has_its_value(constant: CoreMlObject) -> bool:
    value, outputs = constant.val.val, constant.outputs
    is_floating = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return is_floating and bool(outputs) and outputs[0].val is value


def _overflowing(original: CoreMlObject) -> CoreMlObject:
    """Constants beyond 65504: list their indices, eight times the memory, only if an extreme exceeds FP16."""

    def overflows(operation: CoreMlObject) -> bool:
        within = all(
            each.min() >= -GREATEST_HALF and each.max() <= GREATEST_HALF for each in _constants(operation)
        )
        return not within and bool(original(operation))

    return staticmethod(overflows)


def _constants(operation: CoreMlObject) -> Iterator[Array]:
    """The float32 constants among the inputs, as coremltools finds them; NaN is outside of any range."""
    for bound in operation.inputs.values():
        for value in bound if isinstance(bound, list | tuple) else (bound,):
            is_constant = value.op is not None and value.op.op_type == "const"
            if is_constant and value.is_tensor_or_scalar_of(dtype="fp32"):
                array = np.asarray(value.op.val.val)  # scalars may be Python objects
                yield from (array,) if array.size else ()


def _keeping_from_zero(original: CoreMlObject) -> CoreMlObject:
    """Values that become zero in half precision: do not copy a large array to read its length."""

    def check(precision: CoreMlObject, half: CoreMlObject, single: CoreMlObject) -> None:
        if np.size(single.val) < _SMALL:
            original(precision, half, single)

    return check


def _writing(original: CoreMlObject) -> CoreMlObject:
    """Weights are written: do not copy an array that already has the order of the file."""

    def write(value: CoreMlObject, writer: CoreMlObject) -> int:
        array = value.val
        if isinstance(array, np.ndarray) and array.flags.c_contiguous:
            if array.dtype == np.float32:
                return int(writer.write_float_data(array.reshape(-1)))
            if array.dtype == np.float16:
                return int(writer.write_fp16_data(array.reshape(-1).view(np.uint16)))
        return int(original(value, writer))

    return write


_REPLACED: Final[dict[tuple[object, str], Callable[[CoreMlObject], CoreMlObject]]] = {
    (Function, "validate"): _validating,
    (Block, "_propagate_nonreplaceable_vars"): _propagating,
    (Const, "type_value_inference"): _inferring,
    (FP16ComputePrecision, "fp16_overflow"): _overflowing,
    (FP16ComputePrecision, "_check_underflow_to_zero"): _keeping_from_zero,
    (writing, "_get_offset_by_writing_data"): _writing,
}
