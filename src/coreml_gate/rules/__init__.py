"""Known pitfalls of Core ML conversion, each a rule with its evidence and its way out.

A rule looks at frozen values and needs neither torch nor coremltools, so listing them costs nothing.
"""

from collections.abc import Mapping
from typing import Final

from coreml_gate.record import RuleMatch, RulePlace
from coreml_gate.rules import (
    compression,
    conversion,
    custom,
    drift,
    formulas,
    memory,
    precision,
    processing,
    residency,
    shapes,
    size,
    traps,
)
from coreml_gate.rules.rule import Facts, Rule, Setting, Twins
from coreml_gate.rules.view import View

__all__ = ["GROUPS", "KEPT_PLACES", "RULES", "Facts", "Rule", "Setting", "Twins", "View", "find_matches"]

KEPT_PLACES: Final = 8
"""Places per rule that a Record keeps; the others are counted."""

GROUPS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Half precision": (*precision.RULES, *formulas.RULES),
    "Shapes and flexible inputs": shapes.RULES,
    "Neural Engine": residency.RULES,
    "Memory": memory.RULES,
    "Conversion: the saved program": conversion.RULES,
    "Conversion: the torch graph": traps.RULES,
    "Operations without a converter": custom.RULES,
    "Pre- and post-processing": processing.RULES,
    "Compression": compression.RULES,
    "Size": size.RULES,
    "Versions": drift.RULES,
}
"""All rules by group, in the order in which people read them."""

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rules in GROUPS.values() for rule in rules}
"""All rules by id."""


def find_matches(facts: Facts) -> tuple[RuleMatch, ...]:
    """Which rules fire, how often, and where first? One entry per rule that fires, in reading order."""
    found = ((rule, list(rule.matches(facts))) for rule in RULES.values())
    return tuple(
        RuleMatch(
            rule=rule.id,
            severity=rule.severity,
            count=len(matches),
            places=tuple(
                RulePlace(place=match.place, text=match.text, file=match.file, line=match.line)
                for match in matches[:KEPT_PLACES]
            ),
        )
        for rule, matches in found
        if matches
    )
