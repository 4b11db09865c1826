"""How much does the model compute and move, compared with the baseline?

The figures are counted on the program, so they are exact and the same on every machine. They are not times.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence
from coreml_gate.config.limits import CostLimits
from coreml_gate.criteria import Violation, also, excess_growth, gravest_first
from coreml_gate.record import CostFacts, ModuleCost
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import MB, apart, growth, megabytes, number, passing_maximum, percent

NAME: Final = "cost"
SUBJECT: Final = "compute"
UNIT: Final = "MMAC"
MILLION: Final = 10**6

MOVED: Final = "MB moved"
_HINT: Final = "if the model is meant to {} more, raise cost.max-ratio for it in this pull request."
_MOST_OF_IT: Final = 0.5


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding in millions of multiply-accumulates, with the parts of the model in its details."""
    cost = evidence.head.cost
    if cost is None:
        return (evidence.unmeasured(NAME, SUBJECT),)
    base = evidence.before.cost
    comparable = base if base is not None and base.shape == cost.shape else None
    raised = _violations(cost, comparable, evidence)
    figure = _MOVES if raised and raised[0].message.startswith(_MOVES.verb) else _COMPUTES
    ratio, before = evidence.limits.cost.max_ratio, None if comparable is None else figure.of(comparable)
    return (
        Finding(
            check=NAME,
            status=raised[0].status if raised else Status.PASS,
            subject=SUBJECT,
            message=_message(cost, comparable, raised, figure),
            value=figure.of(cost) / MILLION,
            base=None if before is None else before / MILLION,
            limit=None if before is None or ratio is None else before * ratio / MILLION,
            unit=figure.unit,
            hint=_HINT.format(figure.infinitive) if raised else "",
            details=tuple(_details(cost, base, raised, evidence)),
        ),
    )


@dataclass(frozen=True)
class _Figure:
    """What grew, and stands in the table: arithmetic or traffic."""

    verb: str
    infinitive: str
    unit: str
    of: Callable[[CostFacts | ModuleCost], int]


_COMPUTES: Final = _Figure("it computes", "compute", UNIT, lambda cost: cost.macs)
_MOVES: Final = _Figure("it moves", "move", MOVED, lambda cost: cost.bytes)


def _violations(cost: CostFacts, base: CostFacts | None, evidence: Evidence) -> tuple[Violation, ...]:
    limits = evidence.limits.cost
    if base is None or limits.max_ratio is None:
        return ()
    judged_from = ((_COMPUTES, limits.ratio_from_mmacs * MILLION), (_MOVES, limits.ratio_from_mb * MB))
    return gravest_first(
        _growth(figure, cost, base, limits.max_ratio, evidence.regression)
        for figure, least in judged_from
        if figure.of(base)
        and figure.of(cost) >= least
        and figure.of(cost) > figure.of(base) * limits.max_ratio
    )


def _growth(figure: _Figure, cost: CostFacts, base: CostFacts, allowed: float, status: Status) -> Violation:
    found = figure.of(cost) / figure.of(base)
    shown, most = apart(found, allowed, digits=4)
    return Violation(
        f"{figure.verb} {shown} times as much as the baseline, allowed {most} times",
        passes_with=f"max-ratio = {passing_maximum(found, 3)}",
        excess=excess_growth(found, allowed),
        status=status,
    )


def _message(cost: CostFacts, base: CostFacts | None, raised: tuple[Violation, ...], figure: _Figure) -> str:
    place = f" for {cost.shape}" if cost.shape else ""
    before = "" if base is None else f"; in the baseline {_figures(base)}"
    measured = f"{SUBJECT}: {_figures(cost)}{place}{before}"
    if base is None or not raised:
        return f"{measured}."
    return f"{measured}: {raised[0].message}{_mostly(cost, base, figure)}.{raised[0].remedy}"


def _mostly(cost: CostFacts, base: CostFacts, figure: _Figure) -> str:
    """The part of the model that makes most of the growth; empty where none does, or its name is unknown.

    A Record holds the largest parts only: one that the baseline lacks is new where it holds all of them.
    """
    known = {part.name: figure.of(part) for part in base.modules}
    has_all = sum(part.operations for part in base.modules) == base.operations
    grown = {
        part.name: figure.of(part) - known.get(part.name, 0)
        for part in cost.modules
        if has_all or part.name in known
    }
    name = max(grown, key=lambda part: grown[part], default="")
    mostly = name and grown[name] >= _MOST_OF_IT * (figure.of(cost) - figure.of(base))
    return f", most of it in `{name}`" if mostly else ""


def _figures(cost: CostFacts) -> str:
    return (
        f"{number(cost.macs / MILLION, 4)} million multiply-accumulates, {megabytes(cost.bytes)} moved, "
        f"{cost.operations} operations"
    )


def _details(
    cost: CostFacts, base: CostFacts | None, raised: tuple[Violation, ...], evidence: Evidence
) -> Iterator[str]:
    yield from also(raised)
    if base is not None:
        yield from evidence.toolchain_changes
        if base.shape != cost.shape:
            yield f"not compared: the baseline was counted for {base.shape or 'fixed shapes'}"
    if cost.intensity is not None:
        yield f"{number(cost.intensity, 3)} multiply-accumulates per byte moved"
    yield f"{number(cost.elementwise / MILLION, 3)} million elements of other operations"
    if cost.loops:
        yield "the body of a loop counts once, because the number of iterations is unknown"
    for part in cost.modules:
        share = percent(part.macs / cost.macs) if cost.macs else "0 %"
        name = part.name or "(no name)"
        yield f"{name}: {share} of the multiply-accumulates, {megabytes(part.bytes)} moved"


CHECK: Final = Check(
    NAME,
    "Does the model compute or move more than the baseline?",
    run,
    limit=f"{growth(CostLimits().max_ratio or 1)} against base",
    why=(
        "More multiply-accumulates and bytes mean more time and energy on every phone. The numbers are exact."
    ),
    fix="The details name the modules that grew.",
    accept="`limits.cost.max-ratio` sets the allowed growth; `false` switches the check off.",
    page="docs/cost.md",
    column=Column(
        "Compute",
        "resources",
        "millions of multiply-accumulates, or MB moved if these grew too much; hidden while nothing changes",
        figures.percent_change,
        figures.mmacs,
        only_changes=True,
        other_units={MOVED: figures.megabytes_moved},
    ),
)
