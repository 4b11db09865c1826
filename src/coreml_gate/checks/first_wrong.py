"""The first wrong operation in words: the operation, its line, the reason and the fix."""

from collections.abc import Collection

from coreml_gate.checks.evidence import Evidence, file_and_line
from coreml_gate.config.edit import table_with
from coreml_gate.record import FirstWrong, ParityDiagnosis
from coreml_gate.wording import number, percent


def diagnosis_of(evidence: Evidence, samples: Collection[str]) -> ParityDiagnosis | None:
    """The diagnosis, if it is about one of these: ``samples`` (the user's), or a perturbed sample's name."""
    found = evidence.head.parity_diagnosis
    return found if found is not None and found.found_on in samples else None


def sentence(diagnosis: ParityDiagnosis | None) -> str:
    """What is computed instead, or the first operation to differ, or why it is unknown."""
    if diagnosis is None:
        return ""
    if diagnosis.instead:
        return f" The package computes {diagnosis.instead}."
    found = diagnosis.first_wrong
    if not found.operation:
        return f" First wrong operation unknown: {found.reason}." if found.reason else ""
    cause = f"; {found.reason}" if found.reason else ""
    return f" {_name(found)}{cause}.{_share(found)}"


def way_out(diagnosis: ParityDiagnosis | None) -> str:
    """The known fix of the fault, and whether another route agrees with the source."""
    if diagnosis is None:
        return ""
    known, other = diagnosis.first_wrong.hint, diagnosis.other_route
    known = f"{known}. " if known else ""
    if other is None:
        return f"{known}{diagnosis.note[:1].upper()}{diagnosis.note[1:]}".strip()
    if other.agrees:
        return f'{known}The {other.route} route agrees with the source: conversion = "{other.route}".'
    verdict = "fails to convert" if other.agrees is None else "is wrong as well"
    rewrite = "" if known else ", so rewrite the operation that the converter gets wrong"
    return f"{known}The {other.route} route {verdict}{rewrite}."


def patch(diagnosis: ParityDiagnosis | None, model: str) -> tuple[str, ...]:
    """The model's table with the route that agrees with the source, if one does."""
    other = None if diagnosis is None else diagnosis.other_route
    return table_with(model, "conversion", other.route) if other is not None and other.agrees else ()


def place_of(diagnosis: ParityDiagnosis | None) -> tuple[str, int | None]:
    """The file and the line to look at."""
    return file_and_line("" if diagnosis is None else diagnosis.first_wrong.place)


def details(diagnosis: ParityDiagnosis | None) -> tuple[str, ...]:
    """How many operations were compared, and which others are wrong independently."""
    if diagnosis is None or not diagnosis.first_wrong.counts:
        return ()
    found = diagnosis.first_wrong
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items())
    others = (
        (f"these operations also differ by themselves: {', '.join(found.others)}",) if found.others else ()
    )
    return (f"operations paired with the source's: {counts}", *others)


def _name(found: FirstWrong) -> str:
    place = ", ".join(
        filter(None, (_torch(found), f"module `{found.module}`" if found.module else "", found.place))
    )
    if found.lost:
        shown = f"`{found.operation}` ({found.operation_type})"
        return f"Lost in the package: {place}; the first operation to show it is {shown}"
    off = (
        "in shape, non-finite values or integers"
        if found.error is None
        else f"by {number(found.error)} of max"
    )
    return f"First operation to differ: `{found.operation}` ({found.operation_type}; {place}), off {off}"


def _torch(found: FirstWrong) -> str:
    return f"torch `{found.torch_operation}`" if found.torch_operation else ""


def _share(found: FirstWrong) -> str:
    return f" Compared: {percent(found.compared_share)} of the operations."
