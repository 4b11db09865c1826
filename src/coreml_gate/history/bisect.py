"""Which commit changed a metric, over what was measured of the commits between a good one and a bad one?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from coreml_gate.errors import UsageError
from coreml_gate.history.shifts import SHORT

Measure = Callable[[str], float | None]
"""The metric at a commit that was not measured yet; ``None`` where it cannot be measured there."""


@dataclass(frozen=True)
class Culprit:
    """The last commit known to be good, the first one known to be bad, and what lies unmeasured between."""

    good: str
    bad: str
    between: tuple[str, ...]
    before: float
    after: float

    @property
    def is_found(self) -> bool:
        """Whether it is that commit and no other."""
        return not self.between


def bisect(
    commits: Sequence[str],
    values: Mapping[str, float],
    boundary: float | None = None,
    measure: Measure | None = None,
) -> Culprit:
    """The first of ``commits``, oldest first, on the bad side, as :func:`bisect.bisect` would find it.

    The first and the last commit say which side is which; the boundary is halfway between them, or the
    given one. With ``measure``, commits that have no value yet are measured, the middle one first.

    :raises UsageError: The first or the last commit has no value, or both are on one side.
    """
    known = dict(values)
    good, bad = _ends(commits, known, measure)
    middle = (known[good] + known[bad]) / 2 if boundary is None else boundary
    if (known[good] > middle) == (known[bad] > middle):
        raise UsageError(
            f"{good[:SHORT]} has {known[good]:g} and {bad[:SHORT]} has {known[bad]:g}: both are on one side "
            f"of {middle:g}, so no commit between them is the first bad one.",
            "name other commits (--good, --bad), or another boundary (--limit).",
        )
    found = _narrowed(commits, known, middle)
    unmeasurable: set[str] = set()
    while measure is not None and (left := [each for each in found.between if each not in unmeasurable]):
        commit = left[len(left) // 2]
        value = measure(commit)
        if value is None:
            unmeasurable.add(commit)
        else:
            known[commit] = value
            found = _narrowed(commits, known, middle)
    return found


def _ends(commits: Sequence[str], known: dict[str, float], measure: Measure | None) -> tuple[str, str]:
    for commit in (commits[0], commits[-1]):
        value = known.get(commit) if commit in known or measure is None else measure(commit)
        if value is not None:
            known[commit] = value
        else:
            raise UsageError(
                f"commit {commit[:SHORT]} was not measured: the history does not hold it.",
                "name a commit of the history (`coreml-gate history`), or add its Record with --add.",
            )
    return commits[0], commits[-1]


def _narrowed(commits: Sequence[str], known: Mapping[str, float], middle: float) -> Culprit:
    """Around the last change from good to bad: what came before it was repaired again."""
    is_high = known[commits[-1]] > middle
    measured = [at for at, commit in enumerate(commits) if commit in known]
    last_good = max(at for at in measured if (known[commits[at]] > middle) != is_high)
    first_bad = min(at for at in measured if at > last_good)
    good, bad = commits[last_good], commits[first_bad]
    return Culprit(good, bad, tuple(commits[last_good + 1 : first_bad]), known[good], known[bad])
