"""The explanation of one code, and the kinds of codes in reading order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["check", "rule", "known bug", "error"]
OVERRIDE: Final = (
    "On one pull request: `/coreml-gate accept {code} of MODEL until YYYY-MM-DD: REASON` with the label "
    "`coreml-gate: accept` (docs/github.md)."
)
"""How a person accepts a finding that blocks."""


@dataclass(frozen=True)
class Explanation:
    """What a finding or an error of this name means, and what to do about it."""

    code: str
    kind: Kind
    meaning: str
    why: str
    """Why it matters on the phone; for an error, its effect on the run."""
    fix: str
    """A sentence, then code on the following lines, if any."""
    accept: str
    """How to accept it, and who decides that."""
    page: str = ""
    """The page of the documentation on it."""

    @property
    def parts(self) -> Mapping[str, str]:
        """The answers by question, in reading order."""
        return {
            "What it means": self.meaning,
            "Why it matters": self.why,
            "How to fix it": self.fix,
            "How to accept it": self.accept,
        }
