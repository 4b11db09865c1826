"""The whole diagnosis of one model: suspicions, census, hazards, the smallest repair, rewrites."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate.diagnose.census import BAD, WORST, Census, own_errors, take_census
from coreml_gate.diagnose.hazards import Suspicion, hazards, suspicions
from coreml_gate.diagnose.ranges import Range
from coreml_gate.diagnose.repair import Case, ConvertAgain, Trial, find_repair, strictly
from coreml_gate.diagnose.rewrites import rewrites
from coreml_gate.diagnose.target import passes
from coreml_gate.record import Diagnosis, HalfMode, OperationError, Repair

CENSUS_SAMPLES: Final = 4
"""Samples that the census sees; the repair is judged by all of them."""
LONG_SUM: Final = 2_624
"""A running half sum rounds by 2**-12 of its end at each of its blocks of 64: 41 of them may lose 1 %."""
_REPORTED_ERRORS: Final = 10
_NO_CENSUS: Final = "the errors of single operations: a stateful program cannot run twice side by side."
_MODES: Final[tuple[HalfMode, ...]] = ("fp16", "fp16-strict")


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    repair_in: HalfMode | None = None
    """The mode in which the check fails; ``None``: nothing to repair. In ``fp16-strict`` the check need not
    fail: what bites there and reaches its limits is repaired."""
    convert_again: ConvertAgain | None = None
    note: str = ""
    """Why nothing is repaired that would have to be."""


def suspected(case: Case, ranges: Mapping[str, Range]) -> tuple[Suspicion, ...]:
    """What the float32 run alone makes suspicious; nothing of it need be harmful."""
    return tuple(suspicions(case.twin.function(), case.half, ranges))


def drifts(case: Case, ranges: Mapping[str, Range]) -> bool:
    """Is there a long sum that a half accumulator damages, though no value comes near a bound?

    Ranges cannot tell, so the long sums run in half once more, each alone; nothing where there is none.
    """
    known = (name for name in case.half if name in ranges)
    long = frozenset(name for name in known if ranges[name].terms >= LONG_SUM)
    if not long:
        return False
    errors = own_errors(case.twin, long, case.inputs[:CENSUS_SAMPLES], "fp16-strict")
    return any(error > BAD for error in errors.values())


def is_asked_for(case: Case, ranges: Mapping[str, Range], *, failed: bool) -> bool:
    """Does anything speak for a closer look? Sound models pay for none."""
    return failed or bool(suspected(case, ranges)) or drifts(case, ranges)


def diagnose(
    case: Case,
    ranges: Mapping[str, Range],
    wish: Wish,
    clock: Callable[[], float] = time.perf_counter,
) -> Diagnosis:
    """All of it, in both half modes."""
    started = clock()
    inputs = case.inputs[:CENSUS_SAMPLES]
    taken = [take_census(case.twin, case.half, inputs, mode) for mode in _MODES]
    censuses = [census for census in taken if census is not None]
    function = case.twin.function()
    found = hazards(function, suspected(case, ranges), censuses, case.origins)
    strict = tuple(Trial(strictly(case)).compared(frozenset()))
    is_needed = wish.repair_in == "fp16" or (
        any(hazard.bites_in == "fp16-strict" for hazard in found) and not passes(strict, case.limits)
    )
    return Diagnosis(
        hazards=found,
        errors=tuple(error for census in censuses for error in _errors(census)),
        first_nonfinite=censuses[0].first_nonfinite if censuses else None,
        strict=strict,
        repair=_repair(case, wish, censuses, clock) if is_needed else None,
        rewrites=rewrites(function, found),
        seconds=clock() - started,
        note=wish.note if censuses else f"{_NO_CENSUS} {wish.note}".rstrip(),
    )


def _repair(case: Case, wish: Wish, censuses: Sequence[Census], clock: Callable[[], float]) -> Repair | None:
    if wish.repair_in is None:
        return None
    judged = strictly(case) if wish.repair_in == "fp16-strict" else case
    census = next((item for item in censuses if item.mode == wish.repair_in), None)
    damaged = frozenset() if census is None else census.damaged
    return find_repair(judged, _ranked(case, census), wish.convert_again, damaged, clock)


def _ranked(case: Case, census: Census | None) -> list[str]:
    """The operations in half, the one with the greatest own error first; the program's order breaks ties."""
    if census is None:
        return sorted(case.half)
    order = [operation.name for operation in case.twin.function().block.walk() if operation.name in case.half]
    return sorted(order, key=lambda name: -census.damage[name].own if name in census.damage else 0.0)


def _errors(census: Census) -> tuple[OperationError, ...]:
    types = {operation.name: operation.type for operation in census.function.block.operations}
    known = [(name, item) for name, item in census.damage.items() if name in types and item.own > 0]
    worst = sorted(known, key=lambda pair: -pair[1].own)[:_REPORTED_ERRORS]
    return tuple(
        OperationError(
            operation=name,
            operation_type=types[name],
            mode=census.mode,
            own=item.own,
            inherited=item.inherited,
            nonfinite=item.own >= WORST,
        )
        for name, item in worst
    )
