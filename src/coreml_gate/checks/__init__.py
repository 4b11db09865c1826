"""The questions that the gate asks of a model, in the order in which a person reads the answers.

A check is a module with its question as the docstring and ``run(evidence)``, which gives its findings. Limits
are values of the configuration and argued there (``config/limits.py``).
"""

from collections.abc import Mapping
from typing import Final, Protocol

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
from coreml_gate.checks.evidence import Evidence
from coreml_gate.verdict import Finding

__all__ = ["CHECKS", "Check", "Evidence", "examine"]


class Check(Protocol):
    """Asks one question of one model."""

    def __call__(self, evidence: Evidence) -> tuple[Finding, ...]:
        """Answers it, in one finding per thing that a person would look at."""


CHECKS: Final[Mapping[str, Check]] = {
    conversion.CHECK: conversion.run,
    interface.CHECK: interface.run,
    parity.CHECK: parity.run,
    adversarial.CHECK: adversarial.run,
    precision.CHECK: precision.run,
    hazards.CHECK: hazards.run,
    coreml_parity.CHECK: coreml_parity.run,
    evaluate.CHECK: evaluate.run,
    size.CHECK: size.run,
    memory.CHECK: memory.run,
    latency.CHECK: latency.run,
    footprint.CHECK: footprint.run,
    placement.CHECK: placement.run,
    on_device.CHECK: on_device.run,
    compression.CHECK: compression.run,
    rules.CHECK: rules.run,
    cost.CHECK: cost.run,
    devices.CHECK: devices.run,
    structure.CHECK: structure.run,
    litert.CHECK: litert.run,
}


def examine(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings: first what stopped the measuring, if anything did, then every check."""
    answers = (check(evidence) for check in CHECKS.values())
    return (*source.run(evidence), *(finding for findings in answers for finding in findings))
