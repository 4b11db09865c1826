"""Known pitfalls found in a model, as a Record holds them."""

from typing import Literal

from pydantic import NonNegativeInt

from coreml_gate.record.base import Measured


class RulePlace(Measured):
    """One place at which a rule fires."""

    place: str
    """An operation, a feature, a module or a version."""
    text: str
    file: str = ""
    line: int | None = None


class RuleMatch(Measured):
    """A known pitfall that was found."""

    rule: str
    severity: Literal["fatal", "silent", "unknown", "perf", "info"]
    count: NonNegativeInt
    places: tuple[RulePlace, ...]
    """The first few."""
    fix: str = ""
    """The way out: a sentence, then code."""
    evidence: str = ""
    """The source, the first of all."""
