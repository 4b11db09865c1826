"""Does a ledger lose nothing when its run is aborted, and does the next run know what is done?"""

from pathlib import Path

import pytest

from conformance import ledger

ENTRIES = [ledger.Entry(f"iOS14/conv::{name}", "fp16", "iOS14/conv", "passed") for name in "abcd"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of two processes, the second of which was killed while it wrote."""
    for number, entry in enumerate(ENTRIES):
        ledger.append(tmp_path / "run", f"gw{number % 2}", entry)
    with (tmp_path / "run.gw1.jsonl").open("a") as file:
        file.write('{"test": "iOS14/co')
    return tmp_path / "run"


def test_a_ledger_of_several_processes_is_read_whole(path: Path) -> None:
    parts = ledger.parts(path)
    assert [part.name for part in parts] == ["run.gw0.jsonl", "run.gw1.jsonl"]
    assert list(ledger.read(parts)) == ENTRIES[::2] + ENTRIES[1::2]


def test_a_resumed_run_keeps_what_is_done_through_any_number_of_aborts(path: Path) -> None:
    assert ledger.done(path) == frozenset()
    ledger.begin(path, resume=True)
    assert ledger.done(path) == {(entry.test, "fp16") for entry in ENTRIES}
    more = ledger.Entry("iOS14/conv::e", "fp16", "iOS14/conv")
    ledger.append(path, "gw0", more)
    ledger.begin(path, resume=True)
    assert list(ledger.read(ledger.parts(path))) == [*ENTRIES[::2], *ENTRIES[1::2], more]


def test_a_new_run_forgets(path: Path) -> None:
    ledger.begin(path, resume=True)
    ledger.begin(path, resume=False)
    assert ledger.parts(path) == []
    assert ledger.done(path) == frozenset()


def test_a_run_announces_its_share_of_each_group(path: Path) -> None:
    assert ledger.announced(path) == {}
    ledger.announce(path, {"iOS14/conv": 3}, {"iOS14/conv": 9, "iOS14/pool": 4})
    assert ledger.announced(path) == {"iOS14/conv": (3, 9), "iOS14/pool": (0, 4)}
