"""All rules, and applying them to a model."""

from collections.abc import Mapping
from typing import Final

from coreml_gate.config import ModelConfig
from coreml_gate.mil.diff_matching import plain_name
from coreml_gate.mil.index import Index
from coreml_gate.mil.package import Package
from coreml_gate.record import RuleMatch, RulePlace
from coreml_gate.rules import (
    arguments,
    capture,
    compression,
    conversion,
    core_ml_answers,
    core_ml_indices,
    core_ml_layers,
    core_ml_loader,
    core_ml_units,
    core_ml_weights,
    formulas,
    memory,
    neural_engine,
    pre_post,
    precision,
    shapes,
    size,
    unsupported_operations,
    versions,
)
from coreml_gate.rules.rule import Facts, Match, ProgramPair, Rule, Setting, rules_of, setting_of
from coreml_gate.torch_graph import TorchGraph

__all__ = [
    "GROUPS",
    "KEPT_PLACES",
    "RULES",
    "Facts",
    "Index",
    "ProgramPair",
    "Rule",
    "Setting",
    "find_matches",
    "look",
]

KEPT_PLACES: Final = 8
"""How many matches of one rule a Record stores; the others are only counted."""

GROUPS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Half precision": rules_of(precision, formulas),
    "Core ML: programs that do not load": rules_of(core_ml_loader),
    "Core ML: results that differ from torch": rules_of(core_ml_answers),
    "Core ML: faults of one compute unit": rules_of(core_ml_units),
    "Core ML: layers": rules_of(core_ml_layers),
    "Core ML: indices, slices and states": rules_of(core_ml_indices),
    "Core ML: compressed weights": rules_of(core_ml_weights),
    "Shapes and flexible inputs": rules_of(shapes),
    "Neural Engine": rules_of(neural_engine),
    "Memory": rules_of(memory),
    "Conversion: the saved program": rules_of(conversion),
    "Conversion: the torch graph": rules_of(arguments, capture),
    "Operations without a converter": rules_of(unsupported_operations),
    "Pre- and post-processing": rules_of(pre_post),
    "Compression": rules_of(compression),
    "Size": rules_of(size),
    "Versions": rules_of(versions),
}
"""All rules by group, in reading order."""

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rules in GROUPS.values() for rule in rules}
"""All rules by id."""


def find_matches(facts: Facts, written: Mapping[str, str] | None = None) -> tuple[RuleMatch, ...]:
    """The matches of all rules in reading order, one entry per rule, with the first places and a count.

    :param written: The lines at which operations were written, ``models/net.py:12``, by their plain names.
    """
    found = ((rule, list(rule.matches(facts))) for rule in RULES.values())
    return tuple(
        RuleMatch(
            rule=rule.id,
            severity=rule.severity,
            count=len(matches),
            places=tuple(_place(match, written or {}) for match in matches[:KEPT_PLACES]),
            fix=matches[0].fix or rule.fix,
            evidence=rule.evidence[0],
        )
        for rule, matches in found
        if matches
    )


def _place(match: Match, written: Mapping[str, str]) -> RulePlace:
    """The stored form of a match, with the rule's own line or else that of the operation."""
    if match.file:
        return RulePlace(place=match.place, text=match.text, file=match.file, line=match.line)
    file, _, line = written.get(plain_name(match.place), "").rpartition(":")
    return RulePlace(place=match.place, text=match.text, file=file, line=int(line) if file else None)


def look(
    config: ModelConfig,
    shipped: Package | None,
    wide: Package | None,
    graph: TorchGraph | None,
    written: Mapping[str, str] | None = None,
) -> tuple[RuleMatch, ...]:
    """The matches of one model: of its package, its float32 twin and its graph, each if there is one.

    :param written: As for :func:`find_matches`.
    """
    program = None if shipped is None else Index(shipped.function())
    halved = shipped is not None and wide is not None and wide.path != shipped.path
    twins = ProgramPair(program, Index(wide.function())) if program and wide and halved else None
    return find_matches(Facts(setting_of(config), shipped, program, twins, graph), written)
