"""The history as a file: merged without loss in any order, bounded, and refused when it is not one."""

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreml_gate.errors import RecordError
from coreml_gate.history import (
    MOST_COMMITS,
    CommitEntry,
    History,
    ReleaseMark,
    merged,
    read_history,
    write_history,
)


def entry(number: int, **models: dict[str, float]) -> CommitEntry:
    """The commit of that number, made one minute after the one before it."""
    minutes, hours = number % 60, number // 60
    return CommitEntry(
        commit=f"{number:040x}",
        committed=f"2025-01-{1 + hours // 24:02}T{hours % 24:02}:{minutes:02}:00+00:00",
        toolchain={"torch": "2.13.0"},
        models=models or {"digits": {"size": float(number)}},
    )


def history(*numbers: int) -> History:
    return History(entries=tuple(entry(number) for number in sorted(set(numbers))))


HISTORIES = st.lists(st.integers(0, 30), max_size=8).map(lambda numbers: history(*numbers))


@given(HISTORIES, HISTORIES, HISTORIES)
def test_neither_order_nor_repetition_changes_what_is_merged(
    one: History, two: History, three: History
) -> None:
    whole = merged(one, two, three)
    assert all(merged(*order) == whole for order in itertools.permutations((one, two, three)))
    assert merged(merged(one, two), three) == merged(one, merged(two, three)) == whole
    assert merged(whole, one) == whole
    assert {each.commit for each in whole.entries} == {
        each.commit for part in (one, two, three) for each in part.entries
    }


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_pushes_that_overlap_in_any_way_lose_nothing(seed: int) -> None:
    """Each push reads the newest ten stored histories at its start and stores its own at its end."""
    dice = random.Random(seed)
    stored: list[History] = []
    running: list[tuple[int, History]] = []
    pushes = iter(range(40))
    for push in pushes:
        running.append((push, merged(*stored[-10:])))
        while len(running) > 6 or (running and dice.random() < 0.5):
            number, read = running.pop(dice.randrange(len(running)))
            stored.append(merged(read, history(number)))
    stored += [merged(read, history(number)) for number, read in running]
    assert [each.commit for each in merged(*stored[-10:]).entries] == [f"{push:040x}" for push in range(40)]


def test_only_the_oldest_commits_are_dropped() -> None:
    found = merged(history(*range(MOST_COMMITS)), history(MOST_COMMITS, MOST_COMMITS + 1))
    assert len(found.entries) == MOST_COMMITS
    assert found.entries[0].commit == f"{2:040x}"


def test_of_two_entries_on_a_commit_the_fuller_one_stays() -> None:
    half = History(entries=(entry(1, digits={"size": 1.0}),))
    whole = History(entries=(entry(1, digits={"size": 1.0}, reviews={"size": 2.0}),))
    assert merged(half, whole) == merged(whole, half) == whole


def test_a_release_stays_marked_as_long_as_its_commit_is_held() -> None:
    marks = (ReleaseMark(tag="v1", commit=f"{1:040x}"), ReleaseMark(tag="v0", commit="f" * 40))
    found = merged(history(1, 2), History(releases=marks))
    assert found.releases == marks[:1]
    assert (found.release_of(f"{1:040x}"), found.release_of(f"{2:040x}")) == ("v1", "")


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_history(history(1, 2), tmp_path / "history.json")
    assert read_history(tmp_path / "history.json") == history(1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}{", "trailing characters at line 1"),
        ('{"schema_version": 2}', "Input should be 1 at `schema_version`"),
        ('{"entries": [{"commit": "../x"}]}', "at `entries.0.commit`"),
    ],
)
def test_what_is_no_history_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "history.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=said):
        read_history(tmp_path / "history.json")


def test_a_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read") as caught:
        read_history(tmp_path / "none.json")
    assert "--add RECORD" in caught.value.hint
