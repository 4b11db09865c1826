"""Known bugs of the converter: only the hint of a finding comes from here, never the finding."""

from importlib.metadata import version

from coreml_gate.diagnose.known_bug_table import KNOWN_BUGS, KnownBug
from coreml_gate.record import FirstWrong


def bugs_of(release: str) -> tuple[KnownBug, ...]:
    """Those of a coremltools release: measured in it or before, and not fixed by then."""
    measured = [known for known in KNOWN_BUGS if _numbers(known) <= _numbers(release)]
    bugs = KNOWN_BUGS[max(measured, key=_numbers)] if measured else ()
    return tuple(bug for bug in bugs if bug.fixed_in is None or _numbers(bug.fixed_in) > _numbers(release))


def bug_at(found: FirstWrong, route: str, release: str | None = None) -> KnownBug | None:
    """The known bug of the first wrong operation on this route."""
    names = {found.torch_operation, found.torch_operation.removesuffix("_")}
    bugs = bugs_of(version("coremltools") if release is None else release)
    return next(
        (
            bug
            for bug in bugs
            if names.intersection(bug.torch_operations) and route in bug.routes and bug.reason in found.reason
        ),
        None,
    )


def hint_of(found: FirstWrong, route: str) -> str:
    """The way out of a known bug at this operation, or nothing."""
    bug = bug_at(found, route)
    if bug is None:
        return ""
    known = f" ({bug.issue})" if bug.issue else ""
    return f"{bug.what}{known}: {bug.workaround}"


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdecimal())
