"""Did the trace follow sample 0 through a branch, so that only samples of another kind differ?

No operation of such a package is wrong, and no first wrong operation is found: the cause is the line at which
a value became a constant (apple/coremltools#1991).
"""

from dataclasses import dataclass
from typing import Final

from coreml_gate.checks.evidence import Evidence
from coreml_gate.checks.rules import fix_in_words
from coreml_gate.criteria import Group, parity_violations

_RULE: Final = "frozen-values"


@dataclass(frozen=True)
class FrozenBranch:
    """The line whose value sample 0 decided."""

    file: str
    line: int | None
    hint: str

    @property
    def sentence(self) -> str:
        """The cause, to stand behind the figures."""
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f" The trace holds what sample 0 decided at {where}, and other samples decide otherwise."


def frozen_by_sample_0(evidence: Evidence, group: Group) -> FrozenBranch | None:
    """The branch that explains an output; ``None`` where sample 0 or an operation is wrong too."""
    diagnosis = evidence.head.parity_diagnosis
    first = tuple(each for each in group if each.sample == 0)
    if not first or parity_violations(first, evidence.limits.parity):
        return None
    if diagnosis is not None and diagnosis.first_wrong.operation:
        return None
    matches = (match for match in evidence.head.rules or () if match.rule == _RULE and match.places)
    match = next(matches, None)
    if match is None:
        return None
    place = match.places[0]
    return FrozenBranch(place.file, place.line, fix_in_words(match.fix)[0])
