"""Tests whose failure is known, each with its reason (``exclusions.toml``).

Excluded tests run all the same: a failure counts as excluded, a pass as passed.
"""

import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.ledger import Entry

FILE = Path(__file__).with_name("exclusions.toml")
KINDS: dict[str, str] = {
    "expectation": "the expected value is wrong, or noisier than our limit",
    "undefined": "Core ML documents no result here",
    "converter": "coremltools converts wrongly, or refuses to convert",
    "core-ml": "only Core ML itself can answer",
    "environment": "a library beside coremltools is another than its tests expect",
    "gap": "the runtime does not do this yet, and says so",
}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Which failures are excluded, and why.

    ``tests`` is a pattern of test functions; ``parameters`` and ``message`` are parts that must occur in the
    test's; ``limit`` is how far the numbers may be apart all the same.
    """

    tests: str
    kind: str
    reason: str
    parameters: tuple[str, ...] = ()
    message: str = ""
    limit: float = math.inf

    def covers(self, entry: Entry) -> bool:
        """Does it speak of this failure?"""
        return (
            fnmatchcase(entry.test, self.tests)
            and all(part in entry.parameters for part in self.parameters)
            and self.message in entry.message
            and entry.error <= self.limit
        )


def read_exclusions(path: Path = FILE) -> tuple[Exclusion, ...]:
    """The entries of the file, in its order.

    :raises ValueError: An entry has no reason or an unknown kind.
    """
    entries = tomllib.loads(path.read_text()).get("exclusion", [])
    exclusions = tuple(
        Exclusion(**{**entry, "parameters": tuple(entry.get("parameters", ()))}) for entry in entries
    )
    for exclusion in exclusions:
        if exclusion.kind not in KINDS or not exclusion.reason.strip():
            known = ", ".join(KINDS)
            raise ValueError(f"{path.name}: `{exclusion.tests}` wants a reason and one of the kinds {known}")
    return exclusions


def judge(entries: Iterable[Entry], exclusions: tuple[Exclusion, ...]) -> list[Entry]:
    """The entries, where a failure that an exclusion covers is ``excluded`` for its reason."""
    return [_judged(entry, exclusions) for entry in entries]


def _judged(entry: Entry, exclusions: tuple[Exclusion, ...]) -> Entry:
    covering = next((item for item in exclusions if item.covers(entry)), None)
    if entry.outcome != "failed" or covering is None:
        return entry
    return replace(entry, outcome="excluded", reason=f"{covering.kind}: {covering.reason}")
