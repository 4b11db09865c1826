"""The commit that changed a metric: found, narrowed as far as Records go, or measured until it is found."""

import pytest

from coreml_gate.errors import UsageError
from coreml_gate.history.bisect import bisect

COMMITS = [f"{at:040x}" for at in range(20)]


def value(commit: str, *, first_bad: int = 13) -> float:
    return 10.0 if COMMITS.index(commit) >= first_bad else 1.0


def test_with_a_record_of_every_commit_it_is_found() -> None:
    found = bisect(COMMITS, {commit: value(commit) for commit in COMMITS})
    assert (found.good, found.bad, found.is_found) == (COMMITS[12], COMMITS[13], True)
    assert (found.before, found.after) == (1.0, 10.0)


def test_without_some_records_the_rest_is_named() -> None:
    known = {COMMITS[at]: value(COMMITS[at]) for at in (0, 5, 10, 15, 19)}
    found = bisect(COMMITS, known)
    assert (found.good, found.bad, found.between) == (COMMITS[10], COMMITS[15], tuple(COMMITS[11:15]))


def test_measuring_takes_no_more_commits_than_halving_needs() -> None:
    measured: list[str] = []

    def measure(commit: str) -> float:
        measured.append(commit)
        return value(commit)

    found = bisect(COMMITS, {COMMITS[0]: 1.0}, measure=measure)
    assert (found.bad, found.is_found) == (COMMITS[13], True)
    assert len(measured) <= 6
    assert measured[0] == COMMITS[-1]


def test_a_commit_that_cannot_be_measured_stays_a_suspect() -> None:
    broken = COMMITS[12:14]
    found = bisect(
        COMMITS,
        {COMMITS[0]: 1.0, COMMITS[-1]: 10.0},
        measure=lambda each: None if each in broken else value(each),
    )
    assert (found.good, found.bad, found.between) == (COMMITS[11], COMMITS[14], tuple(broken))


def test_what_was_repaired_meanwhile_is_not_blamed() -> None:
    values = [1.0, 10.0, 10.0, 1.0, 1.0, 10.0]
    found = bisect(COMMITS[:6], dict(zip(COMMITS, values, strict=False)))
    assert (found.good, found.bad) == (COMMITS[4], COMMITS[5])


def test_a_boundary_decides_what_is_bad() -> None:
    values = dict(zip(COMMITS, [1.0, 2.0, 3.0, 4.0, 5.0], strict=False))
    assert bisect(COMMITS[:5], values).bad == COMMITS[3]
    assert bisect(COMMITS[:5], values, boundary=1.5).bad == COMMITS[1]


def test_ends_on_one_side_and_ends_without_a_value_are_refused() -> None:
    with pytest.raises(UsageError, match="both are on one side of 1"):
        bisect(COMMITS[:2], {COMMITS[0]: 1.0, COMMITS[1]: 1.0})
    with pytest.raises(UsageError, match="commit 0000000 was not measured"):
        bisect(COMMITS[:2], {COMMITS[1]: 1.0})
