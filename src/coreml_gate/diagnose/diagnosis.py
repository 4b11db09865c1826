"""The whole diagnosis of half precision: suspicions, errors of operations, hazards, repair, rewrites."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from coreml_gate.criteria import keeps_precision, least_psnr
from coreml_gate.diagnose.budget import STAGES, DiagnosisBudget
from coreml_gate.diagnose.delta_debugging import SearchTime
from coreml_gate.diagnose.hazards import Suspicion, hazard_of, hazards, suspicions
from coreml_gate.diagnose.lost_precision import lost_precision
from coreml_gate.diagnose.operation_errors import (
    BAD,
    WORST,
    OperationErrors,
    measure_operation_errors,
    own_errors,
)
from coreml_gate.diagnose.ranges import Range
from coreml_gate.diagnose.repair import (
    MAX_SECONDS,
    ConvertAgain,
    HalfPrecisionCase,
    Trial,
    find_repair,
    on_neural_engine,
)
from coreml_gate.diagnose.rewrites import rewrites
from coreml_gate.frozen import changed
from coreml_gate.mil.index import Index
from coreml_gate.mil.ir import TensorType
from coreml_gate.record import HALF_MODES, Comparison, Diagnosis, HalfMode, Hazard, OperationError, Repair
from coreml_gate.wording import counted

MEASURED_SAMPLES: Final = 4
"""The number of samples on which single operations are measured; a repair is judged on all samples."""
LONG_SUM: Final = 2_624
"""Each block of 64 rounds a running half sum by 2**-12 of its end, so 41 blocks may lose 1 %."""
_REPORTED_ERRORS: Final = 10
_NOT_MEASURED: Final = "the errors of single operations: a stateful program cannot run twice side by side."


@dataclass(frozen=True)
class RepairRequest:
    """Which repair to look for."""

    repair_in: HalfMode | None = None
    """The mode in which the check fails; ``None`` if there is nothing to repair. In ``neural-engine``, a
    hazard that harms an output beyond its limits is repaired even if the check passes."""
    convert_again: ConvertAgain | None = None
    note: str = ""
    """Why no repair is searched, although one is needed."""


def suspected(case: HalfPrecisionCase, ranges: Mapping[str, Range]) -> tuple[Suspicion, ...]:
    """What the float32 run alone shows as suspicious, although it may be harmless."""
    given = case.shipped.function().inputs
    halves = (item.name for item in given if isinstance(item.type, TensorType) and item.type.dtype == "fp16")
    return tuple(suspicions(case.twin.function(), case.half, ranges, frozenset(halves)))


def drifts(case: HalfPrecisionCase, ranges: Mapping[str, Range]) -> bool:
    """Whether a half accumulator damages a long sum, although no value comes near a bound.

    Ranges do not show this, so each long sum runs in half once more by itself; without long sums nothing
    runs.
    """
    known = (name for name in case.half if name in ranges)
    long = frozenset(name for name in known if ranges[name].terms >= LONG_SUM)
    if not long:
        return False
    errors = own_errors(case.twin, long, case.inputs[:MEASURED_SAMPLES], "neural-engine")
    return any(error > BAD for error in errors.values())


def is_needed(case: HalfPrecisionCase, ranges: Mapping[str, Range], *, failed: bool) -> bool:
    """Whether a closer look is needed, which healthy models should not pay for."""
    return failed or bool(suspected(case, ranges)) or drifts(case, ranges)


def diagnose(
    case: HalfPrecisionCase,
    ranges: Mapping[str, Range],
    request: RepairRequest,
    budget: DiagnosisBudget | None = None,
    report: Callable[[Diagnosis], None] = lambda _: None,
) -> Diagnosis:
    """The whole diagnosis, in both half modes, as far as the budget allows.

    :param report: Receives what is known before the search for a repair, which may take long.
    """
    budget = DiagnosisBudget() if budget is None else budget
    plain = tuple(Trial(case).compared(frozenset()))
    failed = not keeps_precision(plain, case.limits)
    inputs = _worst_inputs(case, plain) if failed else case.inputs[:MEASURED_SAMPLES]
    by_mode = _errors_by_mode(case, inputs, budget)
    found = hazards(case.twin.function(), suspected(case, ranges), by_mode, case.origins)
    if failed and by_mode and not any(hazard.bites_in == "fp16" for hazard in found):
        found = (*_where_lost(case, by_mode[0], ranges), *found)
    known = Diagnosis(
        hazards=found,
        errors=tuple(error for errors in by_mode for error in _errors(errors)),
        first_nonfinite=by_mode[0].first_nonfinite if by_mode else None,
        neural_engine=_estimate(case, budget),
        rewrites=rewrites(case.twin.function(), found),
        seconds=budget.used,
    )
    report(known)
    repair = _repair(case, request, by_mode, budget) if _wants_repair(case, request, known) else None
    notes = ("" if by_mode else _NOT_MEASURED, request.note, budget.note)
    return changed(known, repair=repair, seconds=budget.used, note=" ".join(filter(None, notes)))


def _errors_by_mode(
    case: HalfPrecisionCase, inputs: Sequence[Mapping[str, Any]], budget: DiagnosisBudget
) -> list[OperationErrors]:
    """The errors by mode; none for a program that cannot run twice side by side."""
    taken = [
        measure_operation_errors(case.twin, case.half, budget.in_time(f"diagnose-{mode}", inputs), mode)
        for mode in HALF_MODES
        if budget.allows(f"diagnose-{mode}")
    ]
    return [errors for errors in taken if errors is not None]


def _wants_repair(case: HalfPrecisionCase, request: RepairRequest, known: Diagnosis) -> bool:
    """Whether to search a repair; for the Neural Engine, only if a hazard harms its estimate."""
    return request.repair_in == "fp16" or (
        any(hazard.bites_in == "neural-engine" for hazard in known.hazards)
        and not keeps_precision(known.neural_engine, case.limits)
    )


def _estimate(case: HalfPrecisionCase, budget: DiagnosisBudget) -> tuple[Comparison, ...]:
    """The Neural Engine estimate, for as many samples as there is time for."""
    if not budget.left:
        return ()
    compared = Trial(on_neural_engine(case)).compared(frozenset())
    return tuple(takewhile(lambda _: budget.left > 0, compared))


def _worst_inputs(case: HalfPrecisionCase, plain: Iterable[Comparison]) -> list[Mapping[str, Any]]:
    """The samples on which half precision is worst, since the first ones may be unaffected."""
    worst: dict[int, float] = {}
    for comparison in plain:
        psnr = least_psnr([comparison])
        worst[comparison.sample] = min(
            worst.get(comparison.sample, math.inf), math.inf if psnr is None else psnr
        )
    chosen = sorted(worst, key=lambda sample: (worst[sample], sample))[:MEASURED_SAMPLES]
    return [case.inputs[sample] for sample in chosen]


def _where_lost(
    case: HalfPrecisionCase, errors: OperationErrors, ranges: Mapping[str, Range]
) -> tuple[Hazard, ...]:
    """Where precision is lost, if a check fails although no single operation is damaged."""
    by_name = Index(errors.function).producers
    found = lost_precision(errors, ranges)
    return tuple(hazard_of(item, by_name, case.origins, errors) for item in found)


def _repair(
    case: HalfPrecisionCase,
    request: RepairRequest,
    by_mode: Sequence[OperationErrors],
    budget: DiagnosisBudget,
) -> Repair | None:
    if request.repair_in is None or not budget.allows("diagnose-repair"):
        return None
    judged = on_neural_engine(case) if request.repair_in == "neural-engine" else case
    errors = next((item for item in by_mode if item.mode == request.repair_in), None)
    damaged = frozenset() if errors is None else errors.damaged
    seconds = min(MAX_SECONDS, budget.left)
    repair = find_repair(
        judged,
        _ranked(case, errors),
        request.convert_again,
        damaged,
        SearchTime(seconds, budget.clock, budget.advance),
    )
    if repair.outcome == "out-of-budget" and budget.left <= 0:
        budget.cut_short.append(f"{STAGES['diagnose-repair']} ({counted(repair.runs, 'run')})")
    return repair


def _ranked(case: HalfPrecisionCase, errors: OperationErrors | None) -> list[str]:
    """The operations in half, greatest own error first, then in the program's order."""
    if errors is None:
        return sorted(case.half)
    order = [operation.name for operation in case.twin.function().block.walk() if operation.name in case.half]
    return sorted(order, key=lambda name: -errors.damage[name].own if name in errors.damage else 0.0)


def _errors(errors: OperationErrors) -> tuple[OperationError, ...]:
    types = {operation.name: operation.type for operation in errors.function.block.operations}
    known = [(name, item) for name, item in errors.damage.items() if name in types and item.own > 0]
    worst = sorted(known, key=lambda pair: -pair[1].own)[:_REPORTED_ERRORS]
    return tuple(
        OperationError(
            operation=name,
            operation_type=types[name],
            mode=errors.mode,
            own=item.own,
            inherited=item.inherited,
            nonfinite=item.own >= WORST,
        )
        for name, item in worst
    )
