"""The criteria for one output: each looks at all samples and names the worst one."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from coreml_gate.criteria.by_output import Group, comparable
from coreml_gate.criteria.sentences import SIDES, name_of, place_of, values_at
from coreml_gate.record import FLOOR_TIMES, Comparison
from coreml_gate.verdict import SEVERITY, Status
from coreml_gate.wording import apart, decibels, number, passing_maximum, passing_minimum, percent

MOST_LOOSENED: Final = 2.0
"""A looser limit is offered up to this many times the allowed error; beyond, it would protect nothing."""


@dataclass(frozen=True)
class Violation:
    """A reason why something does not pass."""

    message: str
    """A clause with the number, the place and the allowed number."""
    passes_with: str = ""
    """Key and value of the limit that would have passed, or empty."""
    status: Status = Status.FAIL
    excess: float = 1.0
    """The measured error as a multiple of the allowed one; infinite if no scale says what is close."""

    @property
    def remedy(self) -> str:
        """The sentence about the limit that would pass; empty if it would in effect switch the check off."""
        is_close = self.excess <= MOST_LOOSENED
        return f" Would pass with {self.passes_with}." if self.passes_with and is_close else ""


def also(raised: Sequence[Violation]) -> Iterator[str]:
    """The violations after the first, which a finding's message has, as its details."""
    return (f"also: {violation.message}" for violation in raised[1:])


def excess_growth(found: float, allowed: float) -> float:
    """A ratio's growth as a multiple of the allowed growth; if none is allowed, the ratio itself."""
    return (found - 1) / (allowed - 1) if allowed > 1 else found / allowed


def gravest_first(violations: Iterable[Violation | None]) -> tuple[Violation, ...]:
    """The violations, gravest first; those of one status keep their order."""
    found = [violation for violation in violations if violation is not None]
    return tuple(sorted(found, key=lambda violation: SEVERITY.index(violation.status), reverse=True))


def _is_judged(comparison: Comparison) -> bool:
    """Whether the difference exceeds the source's own rounding."""
    return comparison.same_shape and not comparison.is_within_floor


def _has_values(comparison: Comparison) -> bool:
    """Whether, in addition, the values have a meaning: noise has no direction and no best class."""
    return _is_judged(comparison) and not comparison.is_noise


def unfit(group: Group, integers: Status) -> tuple[Violation, ...]:
    """Violations that prevent a judgement by figures; ``integers`` is the status of unequal integers."""
    return gravest_first((shape(group), nonfinite(group), unequal(group, integers)))


def shape(group: Group) -> Violation | None:
    """Arrays of different shapes cannot be compared."""
    unlike = [comparison for comparison in group if not comparison.same_shape]
    if not unlike:
        return None
    first = unlike[0]
    return Violation(
        f"shape {first.candidate_shape} in sample {first.sample}, the {name_of(first.reference)} gives "
        f"{first.reference_shape} ({len(unlike)} of {len(group)} samples differ)"
    )


def nonfinite(group: Group) -> Violation | None:
    """NaN and infinities must be in the same places as in the reference, whatever the limits."""
    mismatched = [comparison for comparison in comparable(group) if comparison.nonfinite_mismatches]
    if not mismatched:
        return None
    worst = max(mismatched, key=lambda each: each.nonfinite_mismatches)
    place = place_of(worst.nonfinite_place, worst.sample)
    return Violation(
        f"{worst.nonfinite_mismatches} of {worst.elements} elements are NaN or infinite on one side only or "
        f"in another way, the first at {place}{values_at(worst, worst.nonfinite_place)}"
    )


def unequal(group: Group, status: Status) -> Violation | None:
    """Integers and booleans are class numbers, indices and flags, for which nearly right is wrong."""
    exact = [comparison for comparison in comparable(group) if comparison.unequal]
    if not exact:
        return None
    worst = max(exact, key=lambda each: each.unequal or 0)
    if worst.labels is not None:
        return Violation(_other_label(worst, worst.labels, len(exact), len(group)), status=status)
    return Violation(
        f"{worst.unequal} of {worst.elements} integers differ in sample {worst.sample}, allowed 0, the "
        f"greatest difference is {number(worst.max_abs_error, 6)}{_place(worst)}",
        status=status,
    )


def _other_label(worst: Comparison, labels: tuple[str, str], differing: int, samples: int) -> str:
    reference, candidate = labels
    return (
        f"label `{candidate}` in sample {worst.sample}, the {name_of(worst.reference)} gives `{reference}` "
        f"({differing} of {samples} samples differ)"
    )


def relative_error(group: Group, limit: float) -> Violation | None:
    """The greatest difference, as a share of the greatest reference value of its sample."""
    wrong = [each for each in group if each.relative_error > limit and _is_judged(each)]
    if not wrong:
        return None
    worst = max(wrong, key=lambda each: each.relative_error)
    return Violation(
        describe_error(worst, limit, values_at(worst, worst.max_abs_place)),
        passes_with=f"max-error = {passing_maximum(worst.relative_error)}",
        excess=worst.relative_error / limit,
    )


def describe_error(worst: Comparison, limit: float, values: str = "") -> str:
    """``greatest difference 0.3 at (0, 7) of sample 3, allowed 0.0004 (0.0001 of the greatest value, 4)``."""
    allowed, reason = _allowed_error(worst, limit)
    difference, most = apart(worst.max_abs_error, allowed)
    return (
        f"greatest difference {difference} at {place_of(worst.max_abs_place, worst.sample)}"
        f"{values}, allowed {most} ({reason})"
    )


def _allowed_error(worst: Comparison, limit: float) -> tuple[float, str]:
    """The greatest allowed difference, and where it comes from."""
    if worst.relative_error > limit and worst.is_within_floor:
        reason = f"{FLOOR_TIMES:g} times the source's own float32 rounding, {number(worst.floor)}"
        return FLOOR_TIMES * worst.floor, reason
    if worst.is_noise:
        inflow = "of what flows into an output that is zero but for rounding, about"
        return limit * worst.scale, f"{number(limit)} {inflow} {number(worst.scale)}"
    if worst.max_reference > 0:
        return limit * worst.scale, f"{number(limit)} of the greatest value, {number(worst.scale)}"
    return limit, f"absolute, because the {SIDES[worst.reference]} is all zeros"


def psnr(group: Group, least: float | None) -> Violation | None:
    """The PSNR of the worst sample; an exact sample passes."""
    if least is None or (low := _lowest(group, least, _decibels)) is None:
        return None
    value, sample = low
    shown, minimum = apart(value, least, decibels)
    return Violation(
        f"PSNR {shown} in sample {sample}, minimum {minimum} dB",
        passes_with=f"psnr = {passing_minimum(value, 3)}",
        excess=amplitude_ratio(least - value),
    )


def amplitude_ratio(decibels: float) -> float:
    """The ratio of two errors that are this many decibels apart: 2 for 6 dB."""
    return float(10 ** (decibels / 20))


def cosine(group: Group, least: float | None) -> Violation | None:
    """The cosine similarity of the worst sample; a sample of zeros has none."""
    if least is None or (low := _lowest(group, least, _cosine)) is None:
        return None
    value, sample = low
    shown, minimum = apart(value, least, digits=5)
    return Violation(
        f"cosine similarity {shown} in sample {sample}, minimum {minimum}",
        passes_with=f"cosine = {passing_minimum(value, 4)}",
        excess=(1 - value) / (1 - least) if least < 1 else math.inf,
    )


def _decibels(comparison: Comparison) -> float | None:
    return comparison.decibels if _is_judged(comparison) else None


def _cosine(comparison: Comparison) -> float | None:
    return comparison.cosine if _has_values(comparison) else None


def _lowest(
    group: Group, least: float, figure: Callable[[Comparison], float | None]
) -> tuple[float, int] | None:
    """The lowest figure below the minimum and its sample, or ``None``."""
    figures = ((figure(each), each.sample) for each in group)
    return min(((value, at) for value, at in figures if value is not None and value < least), default=None)


def top_one(group: Group, margin: float) -> Violation | None:
    """A different best class, unless the reference's two best scores are nearly tied."""
    wrong = [
        (top, each.sample)
        for each in group
        if (top := each.top1) is not None and top.worst_gap > margin and _has_values(each)
    ]
    if not wrong:
        return None
    worst, sample = max(wrong, key=lambda pair: pair[0].worst_gap)
    differing, rows = _differing_rows(group)
    gap, most = apart(worst.worst_gap, margin, percent, percent, digits=2)
    return Violation(
        f"the best class changes in {differing} of {rows} rows, in row {worst.row} of sample {sample} "
        f"although its two best scores are {gap} of the row's range apart, "
        f"allowed up to {most}",
        passes_with=f"top1-margin = {passing_maximum(worst.worst_gap)}",
        excess=worst.worst_gap / margin if margin else math.inf,
    )


def near_ties(group: Group, margin: float) -> str:
    """The sentence about best classes that changed at a near-tie, which proves nothing; or empty."""
    differing, rows = _differing_rows(group)
    if differing == 0:
        return ""
    return (
        f" The best class changes in {differing} of {rows} rows, all near-ties (two best scores within "
        f"{percent(margin)} of the row's range), which prove nothing."
    )


def _differing_rows(group: Group) -> tuple[int, int]:
    tops = [comparison.top1 for comparison in comparable(group) if comparison.top1 is not None]
    return sum(top.disagreements for top in tops), sum(top.rows for top in tops)


def _place(comparison: Comparison) -> str:
    place = comparison.max_abs_place
    return f" at {place.index}{values_at(comparison, place)}" if place else ""
