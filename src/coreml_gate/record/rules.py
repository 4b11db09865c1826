"""Known pitfalls found in a model, as stored in a Record."""

from typing import Literal

from pydantic import NonNegativeInt

from coreml_gate.record.base import Measured


class RulePlace(Measured):
    """One place at which a rule matches."""

    place: str
    """An operation, a feature, a module or a version."""
    text: str
    file: str = ""
    line: int | None = None


class RuleMatch(Measured):
    """A rule that matches."""

    rule: str
    severity: Literal["fatal", "silent", "unknown", "perf", "info"]
    count: NonNegativeInt
    places: tuple[RulePlace, ...]
    """The first few."""
    fix: str = ""
    """A sentence, then code."""
    evidence: str = ""
    """The source, the first of all."""
