"""Known bugs of the converter, which provide the hint of a finding but never the finding itself.

Each is an entry in the module of its kind, together with its precondition. They were found by the hunt and by
coremltools' own tests.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

from coreml_gate.diagnose.known_bugs.bug import KnownBug
from coreml_gate.diagnose.known_bugs.dropped import DROPPED
from coreml_gate.diagnose.known_bugs.formulas import FORMULAS
from coreml_gate.diagnose.known_bugs.integers import INTEGERS, UNMEASURED
from coreml_gate.diagnose.known_bugs.places import PLACES
from coreml_gate.diagnose.torch_calls import TorchArguments
from coreml_gate.record import FirstWrong

__all__ = ["KNOWN_BUGS", "UNMEASURED", "KnownBug", "bug_at", "bugs_of", "hint_of"]

KNOWN_BUGS: Final[Mapping[str, tuple[KnownBug, ...]]] = {"9.0": (*DROPPED, *PLACES, *INTEGERS, *FORMULAS)}
"""By the coremltools release in which they were measured; later releases have them until ``fixed_in``.

If several fit an operation, the first is named.
"""


def bugs_of(release: str) -> tuple[KnownBug, ...]:
    """The bugs of a coremltools release: measured in it or an earlier one, and not yet fixed."""
    measured = [known for known in KNOWN_BUGS if _numbers(known) <= _numbers(release)]
    bugs = KNOWN_BUGS[max(measured, key=_numbers)] if measured else ()
    return tuple(bug for bug in bugs if bug.fixed_in is None or _numbers(bug.fixed_in) > _numbers(release))


def bug_at(
    found: FirstWrong,
    route: str,
    calls: Sequence[TorchArguments] | None = None,
    release: str | None = None,
) -> KnownBug | None:
    """The known bug of the first wrong operation on this route.

    :param calls: The operation's arguments on the failing sample, one entry per call at its place; a bug must
        fit one of them. ``None`` if they are unknown, which skips this test.
    """
    names = {found.torch_operation, found.torch_operation.removesuffix("_")}
    named = (bug for bug in bugs_of(release or version("coremltools")) if names & set(bug.torch_operations))
    here = (bug for bug in named if route in bug.routes and bug.reason in found.reason)
    return next((bug for bug in here if _fits(bug, calls)), None)


def _fits(bug: KnownBug, calls: Sequence[TorchArguments] | None) -> bool:
    return bug.when is None or calls is None or any(bug.when(call) for call in calls)


def hint_of(found: FirstWrong, route: str, calls: Sequence[TorchArguments]) -> str:
    """The remedy for a known bug here, or the empty string: a hint that does not fit is worse than none."""
    bug = bug_at(found, route, calls)
    if bug is None:
        return ""
    known = f" ({bug.issue})" if bug.issue else ""
    return f"{bug.what}{known}: {bug.workaround}"


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdecimal())
