"""Which versions do the tests run with? The warning about other versions and README's table come from here.

``python -m coreml_gate.tested_versions README.md`` rewrites that table.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

_MARKED: Final = re.compile(r"(<!-- versions -->\n).*?(<!-- end of versions -->)", re.DOTALL)


def minor(release: str) -> tuple[int, ...]:
    """Major and minor version as numbers: (2, 13) for ``2.13.0+cpu``."""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2])


@dataclass(frozen=True)
class TestedRange:
    """The oldest and newest release of a distribution that the tests run with."""

    oldest: str
    newest: str
    why: str
    """Why the range ends there."""

    def __contains__(self, release: str) -> bool:
        """Whether the minor version of a release lies within the range."""
        return minor(self.oldest) <= minor(release) <= minor(self.newest)

    def __str__(self) -> str:
        return self.oldest if self.oldest == self.newest else f"{self.oldest} to {self.newest}"


TESTED: Final[Mapping[str, TestedRange]] = {
    "torch": TestedRange(
        "2.7.1",
        "2.13.0",
        "from the newest that coremltools 9.0 was tested with, to that of `constraints.txt`",
    ),
    "coremltools": TestedRange("9.0", "9.0", "the MIL that it writes is what the runtime is tested on"),
    "numpy": TestedRange(
        "1.26.4",
        "2.3.5",
        "from the last 1.x to the last before 2.4, with which coremltools 9.0 fails (apple/coremltools#2632)",
    ),
}
"""`make test-matrix` runs the test suite at both ends."""


def installed() -> dict[str, str]:
    """The installed releases, read without importing any of them."""
    return {name: version(name).partition("+")[0] for name in TESTED}


def untested(releases: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for each release outside of the tested range."""
    return tuple(
        f"{name} {releases[name]} is outside the tested range ({tested})."
        for name, tested in TESTED.items()
        if releases[name] not in tested
    )


def filled(page: str) -> str:
    """The page with the marked table rewritten."""
    rows = "".join(f"| {name} | {tested} | {tested.why} |\n" for name, tested in TESTED.items())
    return _MARKED.sub(
        lambda marked: f"{marked[1]}| | tested with | |\n|---|---|---|\n{rows}{marked[2]}", page
    )


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
