"""Known bugs of the converter, as data: only the hint of a finding comes from here, never the finding."""

from dataclasses import dataclass
from typing import Final

from coreml_gate.record import FirstWrong


@dataclass(frozen=True)
class KnownBug:
    """One wrong conversion, and how to write the operation instead."""

    id: str
    torch_operations: tuple[str, ...]
    """As the first wrong operation names them."""
    routes: tuple[str, ...]
    what: str
    workaround: str
    seen_in: str = "9.0"
    issue: str = ""
    fixed_in: str = ""


KNOWN_BUGS: Final[tuple[KnownBug, ...]] = ()


def bug_at(torch_operation: str, route: str) -> KnownBug | None:
    """The known bug of this operation on this route."""
    name = torch_operation.removesuffix("_")
    found = (bug for bug in KNOWN_BUGS if name in bug.torch_operations and route in bug.routes)
    return next(found, None)


def hint_of(found: FirstWrong, route: str) -> str:
    """The way out of a known bug at this operation, or nothing."""
    bug = bug_at(found.torch_operation, route)
    if bug is None:
        return ""
    known = f" ({bug.issue})" if bug.issue else ""
    fixed = f", fixed in coremltools {bug.fixed_in}" if bug.fixed_in else ""
    return f"{bug.what}{known}{fixed}: {bug.workaround}"
