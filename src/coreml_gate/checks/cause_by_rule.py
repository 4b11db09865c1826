"""Does a rule know why an output differs, where no operation of the package is wrong?

What a trace froze, and dropout that is on in the source alone: the cause is a line of the source, and no
first wrong operation is found (apple/coremltools#1991, apple/coremltools#1616).
"""

from dataclasses import dataclass
from typing import Final

from coreml_gate.checks.evidence import Evidence
from coreml_gate.checks.rules import fix_in_words
from coreml_gate.criteria import Group, parity_violations
from coreml_gate.record import RuleMatch

_FROZEN: Final = "frozen-values"
_SENTENCES: Final = {
    _FROZEN: "The trace holds what sample 0 decided at {where}, and other samples decide otherwise.",
    "active-dropout": "At {where} dropout is on in the source, and the package has none.",
}


@dataclass(frozen=True)
class CauseByRule:
    """The line that a rule found, and the way out."""

    sentence: str
    hint: str
    file: str
    line: int | None


def cause_by_rule(evidence: Evidence, group: Group) -> CauseByRule | None:
    """The cause of an output's difference; ``None`` where an operation is wrong, or no such rule fires."""
    diagnosis = evidence.head.parity_diagnosis
    if diagnosis is not None and diagnosis.first_wrong.operation:
        return None
    matches = (match for match in evidence.head.rules or () if match.rule in _SENTENCES and match.places)
    return next((_cause(match) for match in matches if _explains(match, evidence, group)), None)


def _explains(match: RuleMatch, evidence: Evidence, group: Group) -> bool:
    """What sample 0 decided is right for sample 0."""
    if match.rule != _FROZEN:
        return True
    first = tuple(each for each in group if each.sample == 0)
    return bool(first) and not parity_violations(first, evidence.limits.parity)


def _cause(match: RuleMatch) -> CauseByRule:
    place = match.places[0]
    where = place.file if place.line is None else f"{place.file}:{place.line}"
    sentence = _SENTENCES[match.rule].format(where=where or f"`{place.place}`")
    return CauseByRule(f" {sentence}", fix_in_words(match.fix)[0], place.file, place.line)
