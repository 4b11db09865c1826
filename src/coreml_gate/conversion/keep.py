"""``keep-fp32``: the operations that the converter leaves in float32.

A pattern with a slash is ``Module/type``: the class of the innermost module, and the MIL type of the
operation (``RMSNorm/*``, ``*/softmax``). One without is the name of an operation. All are globs.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
from coremltools.converters.mil.mil.passes.defs.quantization import FP16ComputePrecision

from coreml_gate.arrays import Array
from coreml_gate.conversion.failures import ConversionFailedError
from coreml_gate.conversion.origins import Origin, Places
from coreml_gate.conversion.replaced import replaced
from coreml_gate.floats import GREATEST_HALF
from coreml_gate.torch_graph import saved_name
from coreml_gate.untyped import CoreMlObject

_SHOWN = 8
_OVERFLOW_CHECK: Final = "fp16_overflow"


def is_kept(patterns: Sequence[str], name: str, operation_type: str, origin: Origin) -> list[str]:
    """The patterns that name this operation."""
    full = f"{origin.module}/{operation_type}"
    return [pattern for pattern in patterns if fnmatchcase(full if "/" in pattern else name, pattern)]


class Selector:
    """``op_selector`` of coremltools' FP16ComputePrecision: true for operations that become half precision.

    It is called once per operation that can, and collects ``origins`` by the operations' names in the float32
    twin, where the producer of an output has the output's name.
    """

    def __init__(self, patterns: Sequence[str], outputs: Sequence[str], places: Places) -> None:
        self.origins: dict[str, Origin] = {}
        self._patterns = patterns
        self._outputs = outputs
        self._places = places
        self._used: set[str] = set()

    def __call__(self, operation: CoreMlObject) -> bool:
        """Whether this operation should become half precision."""
        if operation.op_type == "const":
            return True
        origin = self._places.of(getattr(operation, "scopes", {}))
        names = [self._twin_name(operation), operation.outputs[0].name]
        kept = [p for name in names for p in is_kept(self._patterns, name, operation.op_type, origin)]
        self.origins[names[0]] = replace(origin, half=not kept, variable=names[1])
        self._used.update(kept)
        return not kept

    def refuse_unused(self) -> None:
        """Raises :class:`ConversionFailedError` for a pattern without a match."""
        unused = [pattern for pattern in self._patterns if pattern not in self._used]
        if not unused:
            return
        modules = sorted({origin.module for origin in self.origins.values()} - {""})
        raise ConversionFailedError(
            f"`keep-fp32` names `{unused[0]}`, which is not an operation of this model.",
            "remove it, or write it as `Module/type`; the modules are "
            f"{', '.join(f'`{module}`' for module in modules[:_SHOWN])}.",
        )

    def _twin_name(self, operation: CoreMlObject) -> str:
        block = operation.enclosing_block
        if block.outer_op is None and len(block.outputs) == len(self._outputs):
            for output, name in zip(block.outputs, self._outputs, strict=True):
                if output in operation.outputs:
                    return name
        return saved_name(str(operation.outputs[0].name))


def quick_overflow_check() -> AbstractContextManager[None]:
    """Within the block, coremltools searches for overflowing elements only if an extreme exceeds FP16.

    It searches for elements beyond 65504 by their indices, which take eight times the memory of a float32
    matrix: 6.0 of the 30 s of CPU time of a run with a decoder of 100 million parameters.
    """
    return replaced(FP16ComputePrecision, _OVERFLOW_CHECK, _by_extremes)


def _by_extremes(original: CoreMlObject) -> CoreMlObject:
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
