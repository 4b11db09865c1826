"""What the hunt saw, sorted by root cause."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from coreml_gate.diagnose.known_bugs import bug_at
from coreml_gate.record import FirstWrong

UNEXPLAINED = "(unexplained)"


@dataclass(frozen=True)
class Sight:
    """One case along one route: what was seen."""

    case: str
    route: str
    outcome: str
    """``agrees``, ``refused``, ``does not run`` or ``differs``."""
    found_on: str = ""
    how: str = ""
    torch_operation: str = ""
    operation: str = ""
    operation_type: str = ""
    lost: bool = False
    reason: str = ""
    other_route: bool | None = None
    """Whether the other route agrees with torch."""
    error: float | None = None
    rules: tuple[str, ...] = ()
    """Static rules that call the conversion wrong."""
    mil: tuple[str, ...] = ()


def cause_of(sight: Sight) -> str:
    """The known bug at the first wrong operation, or the operation itself."""
    found = FirstWrong(torch_operation=sight.torch_operation, reason=sight.reason)
    bug = bug_at(found, sight.route)
    return bug.id if bug is not None else f"{UNEXPLAINED} {sight.torch_operation or sight.case}"


def causes_table(sights: Iterable[Sight]) -> Iterator[str]:
    """How many of each outcome, the root causes with their cases, and the false alarms."""
    seen = list(sights)
    outcomes = Counter(sight.outcome for sight in seen)
    yield ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    by_cause: dict[str, list[Sight]] = defaultdict(list)
    for sight in seen:
        if sight.outcome == "differs":
            by_cause[cause_of(sight)].append(sight)
    for cause, group in sorted(by_cause.items()):
        yield from _lines(cause, group)
    agreeing = [sight for sight in seen if sight.outcome == "agrees"]
    alarms = [sight for sight in agreeing if sight.rules]
    yield f"{len(agreeing)} agree; static rules call {len(alarms)} of them wrong"
    for sight in alarms:
        yield f"  {sight.route:6} {sight.case}: {', '.join(sight.rules)}"


def _lines(cause: str, group: list[Sight]) -> Iterator[str]:
    routes = "+".join(sorted({sight.route for sight in group}))
    own = sum(sight.found_on == "samples" for sight in group)
    ruled = sum(bool(sight.rules) for sight in group)
    yield f"{cause}: {len(group)} ({routes}), {own} on ordinary samples, {ruled} by a static rule"
    for sight in group:
        yield f"  {sight.route:6} {sight.case}: {sight.how}, with {sight.found_on}"
