"""What is said of one code, and the families of codes in the order in which people meet them."""

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
    """One code: what a finding or an error of this name means, and what to do about it."""

    code: str
    kind: Kind
    meaning: str
    why: str
    """Why it matters on the phone; of an error, what it does to the run."""
    fix: str
    """A sentence, then code from the next line on where there is some."""
    accept: str
    """How to live with it, and who decides that."""
    page: str = ""
    """Where the documentation has more."""

    @property
    def parts(self) -> Mapping[str, str]:
        """The answers by the question that they answer, in reading order."""
        return {
            "What it means": self.meaning,
            "Why it matters": self.why,
            "How to fix it": self.fix,
            "How to accept it": self.accept,
        }
