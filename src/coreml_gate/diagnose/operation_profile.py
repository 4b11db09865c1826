"""The profile of every operation of a program, for the page: range, source line, FP16 error."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from coreml_gate.diagnose.operation_errors import OperationErrors, measure_operation_errors
from coreml_gate.diagnose.ranges import Range
from coreml_gate.diagnose.repair import HalfPrecisionCase
from coreml_gate.mil.ir import Operation
from coreml_gate.record import HALF_MODES, HalfMode, OperationProfile
from coreml_gate.record.profile import MOST_OPERATIONS
from coreml_gate.untyped import MilValue

_DIGITS: Final = 3
_STATEFUL: Final = "a stateful program cannot run twice side by side."


def operation_profile(
    case: HalfPrecisionCase, ranges: Mapping[str, Range], sample: Mapping[str, MilValue] | None
) -> OperationProfile:
    """The operations of the outermost block; their errors, if wanted, are those of one sample."""
    function = case.twin.function()
    errors = _measured(case, sample) if case.half and sample is not None else {}
    operations = [operation for operation in function.block.operations if operation.type != "const"]
    shown = list(_shown(operations, list(errors.values())))
    names = [operation.name for operation in shown]
    return OperationProfile(
        operations=tuple(names),
        places=tuple(case.origins[name].place if name in case.origins else "" for name in names),
        reaches=tuple(_rounded(ranges[name].magnitude) if name in ranges else None for name in names),
        errors={mode: tuple(_error(of, name) for name in names) for mode, of in errors.items()},
        note=_STATEFUL if case.half and sample is not None and not errors else "",
    )


def _measured(case: HalfPrecisionCase, sample: Mapping[str, MilValue]) -> dict[HalfMode, OperationErrors]:
    found = {mode: measure_operation_errors(case.twin, case.half, [sample], mode) for mode in HALF_MODES}
    return {mode: errors for mode, errors in found.items() if errors is not None}


def _shown(operations: Sequence[Operation], errors: Sequence[OperationErrors]) -> Iterator[Operation]:
    """All operations, or for a long program the one with the greatest error of each section."""
    count = min(len(operations), MOST_OPERATIONS)
    edges = [at * len(operations) // max(count, 1) for at in range(count + 1)]
    for start, stop in pairwise(edges):
        yield max(
            operations[start:stop], key=lambda each: max((of.error_of(each) for of in errors), default=0)
        )


def _error(errors: OperationErrors, name: str) -> float | None:
    return _rounded(errors.damage[name].inherited) if name in errors.damage else None


def _rounded(value: float) -> float:
    """The number with as many digits as a chart shows."""
    return value if value == 0 else round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))
