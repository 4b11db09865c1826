"""Tests whose failure says nothing against the runtime, each with its reason (``exclusions.toml``).

Excluded tests run all the same: a failure counts as excluded, a pass as passed.
"""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

FILE = Path(__file__).with_name("exclusions.toml")
Kind = Literal["expectation", "undefined", "core-ml", "environment"]
KINDS: dict[str, str] = {
    "expectation": "the expected value is wrong or noisier than our limit",
    "undefined": "Core ML documents no result here",
    "core-ml": "only Core ML itself can answer",
    "environment": "a library beside coremltools is another than its tests expect",
}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Which failures are excluded, and why: test functions, parts of the parameters and of the message."""

    tests: str
    kind: str
    reason: str
    parameters: tuple[str, ...] = ()
    message: str = ""

    def covers(self, test: str, parameters: str, message: str) -> bool:
        """Does it speak of this failure?"""
        return (
            fnmatchcase(test, self.tests)
            and all(part in parameters for part in self.parameters)
            and self.message in message
        )


def read_exclusions(path: Path = FILE) -> tuple[Exclusion, ...]:
    """The entries of the file, in its order.

    :raises ValueError: An entry has no reason or an unknown kind.
    """
    entries = tomllib.loads(path.read_text())["exclusion"]
    exclusions = tuple(
        Exclusion(**{**entry, "parameters": tuple(entry.get("parameters", ()))}) for entry in entries
    )
    for exclusion in exclusions:
        if exclusion.kind not in KINDS or not exclusion.reason.strip():
            raise ValueError(
                f"{path.name}: `{exclusion.tests}` wants a reason and one of the kinds {', '.join(KINDS)}"
            )
    return exclusions


def reason_for(exclusions: tuple[Exclusion, ...], test: str, parameters: str, message: str) -> str | None:
    """Why this failure is excluded, or ``None`` when it is not."""
    for exclusion in exclusions:
        if exclusion.covers(test, parameters, message):
            return f"{exclusion.kind}: {exclusion.reason}"
    return None
