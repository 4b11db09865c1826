"""Whether a constant overflows in half precision, seen without copies of it.

coremltools looks for the elements beyond 65504 by way of their indices, which take eight times the memory of
a matrix of float32: 6.0 of the 30 s of CPU time of a run with a decoder of 100 million parameters.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from coremltools.converters.mil.mil.passes.defs.quantization import FP16ComputePrecision

from coreml_gate.arrays import Array
from coreml_gate.floats import GREATEST_HALF
from coreml_gate.untyped import CoreMlObject

_NAME: Final = "fp16_overflow"


@contextmanager
def quick_overflow_check() -> Iterator[None]:
    """Within the block coremltools looks for indices only where an extreme lies outside of the halves."""
    original = FP16ComputePrecision.__dict__[_NAME]

    def overflows(operation: CoreMlObject) -> bool:
        within = all(
            each.min() >= -GREATEST_HALF and each.max() <= GREATEST_HALF for each in _constants(operation)
        )
        return not within and bool(original.__func__(operation))

    setattr(FP16ComputePrecision, _NAME, staticmethod(overflows))
    try:
        yield
    finally:
        setattr(FP16ComputePrecision, _NAME, original)


def _constants(operation: CoreMlObject) -> Iterator[Array]:
    """The constants of float32 among the inputs, as coremltools finds them; NaN lies outside of any range."""
    for bound in operation.inputs.values():
        for value in bound if isinstance(bound, list | tuple) else (bound,):
            is_constant = value.op is not None and value.op.op_type == "const"
            if is_constant and value.is_tensor_or_scalar_of(dtype="fp32"):
                array = np.asarray(value.op.val.val)  # scalars may be Python's own
                yield from (array,) if array.size else ()
