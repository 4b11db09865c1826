"""Do the operations still run on the Neural Engine?

On a Mac, Core ML's own compute plan decides. Elsewhere there is a prediction from documented rules, which is
shown but never judged.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from coreml_gate import figures
from coreml_gate.checks.check import Check, Column
from coreml_gate.checks.evidence import Evidence, skipped
from coreml_gate.record import OffEngine, Placement
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import counted, first_and_more, number

NAME: Final = "placement"
SUBJECT: Final = "Neural Engine"
NOT_TRIED: Final = "not run: `core-ml-units` does not include the Neural Engine."
_SHOWN: Final = 20


def run(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding; its value is the share of operations on the Neural Engine."""
    if evidence.config.compute_units in {"CPU_ONLY", "CPU_AND_GPU"}:
        return (skipped(NAME, SUBJECT, f"compute-units = {evidence.config.compute_units} excludes it."),)
    facts = evidence.head.core_ml
    if facts is None or facts.placement is None:
        reason = evidence.without_core_ml if facts is None or facts.machine.stand_in else NOT_TRIED
        return (_predicted(evidence.head.predicted_placement, evidence, reason),)
    return (_measured(facts.placement, facts.base_placement, virtual=bool(facts.machine.virtual)),)


def _predicted(placement: Placement | None, evidence: Evidence, reason: str) -> Finding:
    if placement is None or not placement.devices:
        return skipped(NAME, SUBJECT, reason)
    total = sum(placement.devices.values())
    base = evidence.before.predicted_placement
    before = f", {len(base.off_engine)} in the baseline" if base is not None and base.devices else ""
    return Finding(
        check=NAME,
        status=Status.SKIPPED,
        subject=SUBJECT,
        message=(
            f"{reason} Predicted by documented rules: {len(placement.off_engine)} of "
            f"{counted(total, 'operation')} stay off the Neural Engine{before}."
        ),
        details=(
            *((placement.note,) if placement.note else ()),
            *(f"{_named(each)}: {each.reason}" for each in placement.off_engine[:_SHOWN]),
        ),
    )


def _measured(head: Placement, base: Placement | None, *, virtual: bool) -> Finding:
    if reason := _why_unknown(head):
        return _unsure(reason, head)
    total, on_engine = sum(head.devices.values()), head.devices.get("NE", 0)
    if virtual and not on_engine:
        return _unsure("a virtual machine has no Neural Engine", head)
    base_reason = "" if base is None else _why_unknown(base)
    if base is not None and base_reason and head.off_engine:
        return _unsure(f"no comparison with the baseline: {base_reason}", base)
    known_base = None if base_reason else base
    left = _left(head, known_base)
    return Finding(
        check=NAME,
        status=Status.WARN if left else Status.PASS,
        subject=SUBJECT,
        message=_message(head, total, on_engine, left),
        value=on_engine / total,
        base=_share(known_base),
        hint="keep these operations in float16, with documented types (docs/macos.md)." if left else "",
        details=tuple(_details(head, known_base)),
    )


def _why_unknown(placement: Placement) -> str:
    """Why a plan is incomplete, or empty."""
    total, unknown = sum(placement.devices.values()), placement.devices.get("unknown", 0)
    if placement.ending is not None:
        return placement.ending.clause()
    if not total:
        return "Core ML reported no operation"
    return f"Core ML reports no device for {unknown} of {counted(total, 'operation')}" if unknown else ""


def _unsure(reason: str, placement: Placement) -> Finding:
    return Finding(
        check=NAME,
        status=Status.UNSURE,
        subject=SUBJECT,
        message=f"placement on {placement.units}: {reason}.",
        hint="run on a physical Mac; with a `deployment-target` below iOS18, Core ML often reports nothing.",
        details=() if placement.ending is None else placement.ending.log_tail,
    )


def _left(head: Placement, base: Placement | None) -> tuple[OffEngine, ...]:
    """Operations whose type is off the Neural Engine more often than in the baseline.

    Types are counted because names change from one conversion to the next.
    """
    if base is None:
        return ()
    off = Counter(each.operation_type for each in head.off_engine)
    more = off - Counter(each.operation_type for each in base.off_engine)
    return tuple(each for each in head.off_engine if each.operation_type in more)


def _message(head: Placement, total: int, on_engine: int, left: tuple[OffEngine, ...]) -> str:
    segments = "" if head.segments is None else f" in {counted(head.segments, 'segment')}"
    words = f"{on_engine} of {counted(total, 'operation')} run on the Neural Engine{segments}"
    if not left:
        return f"{words}."
    names = [f"{_named(each)} on {each.device}" for each in left]
    return f"{words}; moved off it since the baseline: {first_and_more(names)}."


def _details(head: Placement, base: Placement | None) -> Iterator[str]:
    for name, placement in (("head", head), ("baseline", base)):
        if placement is not None:
            devices = ", ".join(f"{count} on {device}" for device, count in placement.devices.items())
            yield f"{name}: {devices}; segments {placement.segments}; {_cost(placement)}"
    yield from (f"{_named(each)} on {each.device}" for each in head.off_engine[:_SHOWN])


def _cost(placement: Placement) -> str:
    if placement.cost is None:
        return "no cost estimate"
    shares = (f"{device} {number(share, 2)}" for device, share in placement.cost.items())
    return f"estimated cost: {', '.join(shares)}"


def _share(placement: Placement | None) -> float | None:
    total = 0 if placement is None else sum(placement.devices.values())
    return placement.devices.get("NE", 0) / total if placement is not None and total else None


def _named(each: OffEngine) -> str:
    return f"`{each.operation}` ({each.operation_type})"


CHECK: Final = Check(
    NAME,
    "Do the operations still run on the Neural Engine?",
    run,
    limit="as many as in the baseline, as a warning",
    why="An operation that leaves the Neural Engine costs time and energy, and two copies of its data.",
    fix=(
        "`coreml-gate diff` shows the operations; `docs/rules.md#neural-engine` lists what the Neural "
        "Engine does not run."
    ),
    page="docs/macos.md",
    overridable=False,
    needs="Mac",
    column=Column(
        "Neural Engine",
        "engine",
        "share of the operations, by Core ML's compute plan",
        figures.points,
        figures.share,
        highest_is_worst=False,
    ),
)
