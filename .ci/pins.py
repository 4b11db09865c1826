"""Prints the pins of constraints.txt that the gate needs where it is installed, for `make locks`.

``python .ci/pins.py measure`` names all of them, ``report`` what a job needs that runs no model. torch is
locked for macOS only: on Linux it comes from an index of its own, with builds and hashes of its own.
"""

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
RUNS_MODELS = frozenset({"torch", "coremltools"})
PLACES = [
    {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": system[0],
        "platform_system": system[1],
    }
    for version in ("3.11", "3.12", "3.13")
    for system in (("linux", "Linux"), ("darwin", "Darwin"))
]


def main(job: str) -> None:
    """One line per package."""
    left_out = RUNS_MODELS if job == "report" else frozenset()
    pins = dict(line.split("==") for line in constraints())
    for name in sorted(needed(left_out)):
        marker = '; sys_platform == "darwin"' if name == "torch" else ""
        sys.stdout.write(f"{name}=={pins[name]}{marker}\n")


def constraints() -> Iterator[str]:
    """The pins, by their canonical names."""
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if "==" in line:
            name, version = line.split("==")
            yield f"{canonicalize_name(name)}=={version}"


def needed(left_out: frozenset[str]) -> set[str]:
    """What the gate depends on and what that depends on, on every system and Python that it runs on."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    waiting = [(Requirement(line), "") for line in document["project"]["dependencies"]]
    found: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in left_out or not applies(requirement, extra):
            continue
        for of in ("", *requirement.extras):
            if (name, of) not in found:
                found.add((name, of))
                waiting += [(Requirement(line), of) for line in requires(name) or []]
    return {name for name, _ in found}


def applies(requirement: Requirement, extra: str) -> bool:
    """Whether it is needed anywhere, by what asks for this extra."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**place, "extra": extra}) for place in PLACES)


if __name__ == "__main__":
    main(sys.argv[1])
