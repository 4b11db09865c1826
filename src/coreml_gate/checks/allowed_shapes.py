"""Parity at every shape that the configuration allows: each is a promise to the app."""

from collections.abc import Iterator, Sequence
from typing import Final

from coreml_gate.checks.evidence import Evidence, file_and_line
from coreml_gate.checks.first_wrong import place_of, sentence, way_out
from coreml_gate.criteria.parity import violation_of
from coreml_gate.record import RefusedShape
from coreml_gate.verdict import Finding, Status
from coreml_gate.wording import names_and_more

_FROZEN: Final = (
    "a size computed in Python may be frozen by the conversion: let an operation find it (`flatten`, -1 in "
    "`reshape`), or allow only the shapes that work."
)
_ALLOW_LESS: Final = "allow only the shapes that the source takes."
_REFUSING: Final = (
    ("package", "the package refuses", " and the source takes", Status.FAIL, _FROZEN),
    ("source", "the source refuses", " and the package takes", Status.WARN, _ALLOW_LESS),
    ("both", "source and package refuse", "", Status.WARN, _ALLOW_LESS),
)


def allowed_shapes(evidence: Evidence, check: str) -> Iterator[Finding]:
    """What a side does not take, then where the package takes a shape and answers otherwise."""
    yield from _refused(evidence.head.refused_shapes, check)
    yield from _answered_otherwise(evidence, check)


def _refused(shapes: Sequence[RefusedShape], check: str) -> Iterator[Finding]:
    """An allowed shape is a promise to the app, which the package must keep."""
    for by, refuses, takes, status, hint in _REFUSING:
        found = [shape for shape in shapes if shape.by == by]
        if found:
            place = found[0].place
            file, line = file_and_line(place)
            yield Finding(
                check=check,
                status=status,
                subject="shapes",
                message=f"{refuses} {_named(found)}, which the configuration allows{takes}: "
                + (f"{place}: " if place else "")
                + found[0].message,
                hint=found[0].hint or hint,
                details=tuple(f"{each.shape}: {each.message}" for each in found),
                file=file,
                line=line,
            )


def _named(shapes: Sequence[RefusedShape]) -> str:
    return names_and_more([f"`{each.shape}`" for each in shapes])


def _answered_otherwise(evidence: Evidence, check: str) -> Iterator[Finding]:
    limits, diagnosis = evidence.limits.parity, evidence.head.parity_diagnosis
    said = {each.name: violation_of(each, limits) for each in evidence.head.allowed_shapes}
    wrong = {name: text for name, text in said.items() if text is not None}
    if not wrong:
        return
    about = diagnosis if diagnosis is not None and diagnosis.asked_by in wrong else None
    file, line = place_of(about)
    yield Finding(
        check=check,
        status=Status.FAIL,
        subject="shapes",
        message=f"{next(iter(wrong.values()))}: the conversion is wrong at {len(wrong)} of {len(said)} other "
        f"shapes that the configuration allows.{sentence(about)}",
        hint=way_out(about) or _FROZEN,
        details=tuple(wrong.values()),
        file=file,
        line=line,
    )
