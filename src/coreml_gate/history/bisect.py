"""Finds the commit between a good and a bad one that changed a metric."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from coreml_gate.errors import UsageError
from coreml_gate.wording import short

Measure = Callable[[str], float | None]
"""Measures the metric at a commit; ``None`` if that is impossible."""


@dataclass(frozen=True)
class Culprit:
    """The last commit known to be good, the first known to be bad, and the unmeasured ones between them."""

    good: str
    bad: str
    between: tuple[str, ...]
    before: float
    after: float

    @property
    def is_found(self) -> bool:
        """Whether exactly one commit is left."""
        return not self.between


def bisect(
    commits: Sequence[str],
    values: Mapping[str, float],
    boundary: float | None = None,
    measure: Measure | None = None,
) -> Culprit:
    """The first of ``commits`` (oldest first) on the bad side, found like :func:`bisect.bisect`.

    The first and the last commit define the sides; the boundary is the given one, or halfway between them.
    With ``measure``, commits without a value are measured, the middle one first.

    :raises UsageError: The first or the last commit has no value, or both are on one side.
    """
    known = dict(values)
    good, bad = _ends(commits, known, measure)
    middle = (known[good] + known[bad]) / 2 if boundary is None else boundary
    if (known[good] > middle) == (known[bad] > middle):
        raise UsageError(
            f"{short(good)} has {known[good]:g} and {short(bad)} has {known[bad]:g}: both are on one side "
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
                f"commit {short(commit)} was not measured: the history does not hold it.",
                "name a commit of the history (`coreml-gate history`), or add its Record with --add.",
            )
    return commits[0], commits[-1]


def _narrowed(commits: Sequence[str], known: Mapping[str, float], middle: float) -> Culprit:
    """The range around the last change from good to bad; earlier ones were repaired."""
    is_high = known[commits[-1]] > middle
    measured = [at for at, commit in enumerate(commits) if commit in known]
    last_good = max(at for at in measured if (known[commits[at]] > middle) != is_high)
    first_bad = min(at for at in measured if at > last_good)
    good, bad = commits[last_good], commits[first_bad]
    return Culprit(good, bad, tuple(commits[last_good + 1 : first_bad]), known[good], known[bad])
