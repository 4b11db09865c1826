"""The checks of a model, in the order in which their results are read.

A check is a module with a :class:`Check`: its question, ``run(evidence)``, which returns its findings, its
column, and what to do about a failure. Tables, reports and pages are derived from it, and only
:data:`CHECKS` lists it. Limits and the reasons for their defaults are in ``config/limits.py``.
"""

from collections.abc import Mapping
from typing import Final

from coreml_gate.checks import (
    adversarial,
    compression,
    conversion,
    coreml_parity,
    cost,
    devices,
    evaluate,
    footprint,
    hazards,
    image_input,
    interface,
    latency,
    litert,
    memory,
    on_device,
    parity,
    placement,
    precision,
    rules,
    size,
    source,
    structure,
)
from coreml_gate.checks.check import PARTS, Check, Column, Topic
from coreml_gate.checks.evidence import Evidence
from coreml_gate.checks.of_the_run import OF_THE_RUN
from coreml_gate.verdict import Finding

__all__ = ["CHECKS", "Check", "Column", "Evidence", "Topic", "columns", "examine", "topics"]


CHECKS: Final[Mapping[str, Check]] = {
    check.name: check
    for check in (
        conversion.CHECK,
        interface.CHECK,
        image_input.CHECK,
        parity.CHECK,
        adversarial.CHECK,
        precision.CHECK,
        hazards.CHECK,
        coreml_parity.CHECK,
        evaluate.CHECK,
        size.CHECK,
        memory.CHECK,
        latency.CHECK,
        footprint.CHECK,
        placement.CHECK,
        on_device.CHECK,
        compression.CHECK,
        rules.CHECK,
        cost.CHECK,
        devices.CHECK,
        structure.CHECK,
        litert.CHECK,
    )
}


def examine(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings: first what stopped the measurement, if anything, then every check."""
    every = (source.CHECK, *CHECKS.values())
    return tuple(finding for check in every for finding in check.run(evidence))


def columns() -> dict[str, Column]:
    """The column of each check that has one, ordered by part of the table, then by check."""
    found = ((name, check.column) for name, check in CHECKS.items() if check.column is not None)
    return dict(sorted(found, key=lambda pair: PARTS.index(pair[1].part)))


def topics() -> Mapping[str, Topic]:
    """Everything that findings can be about, by name: a stopped measurement, the checks, the run."""
    return {source.NAME: source.CHECK, **CHECKS, **OF_THE_RUN}
