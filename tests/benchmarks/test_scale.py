"""The table of whole runs: ratios, phases, what failed; and its place in a page of another benchmark."""

import sys
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from pages import between_marks, write_between_marks
from scale import watched
from scale.bench import ROOTS, nets, table
from scale.watched import Watched, watch

PHASES = {"net (head):": 5, "source": 10**9, "convert": 26 * 10**8, "net (head): measured (3 s)": 5}
PLAIN = Watched(cpu_seconds=10.0, peak_bytes=2_000_000_000)
GATE = Watched(cpu_seconds=12.5, peak_bytes=2_600_000_000, phases=PHASES)


def test_ratios_and_phases_stand_in_the_table() -> None:
    row = table({"net": {"plain": PLAIN, "gate": GATE}}).splitlines()[-1]
    assert row == "| `net` | 10.0 | 12.5 | 1.25 | 2,000 | 2,600 | 1.30 | source 1,000, convert 2,600 |"


def test_a_run_that_failed_has_its_words_and_no_figures() -> None:
    row = table({"net": {"plain": PLAIN, "gate": Watched(failure="exit code 3: no samples")}}).splitlines()[
        -1
    ]
    assert row == "| `net` | not measured: exit code 3: no samples | | | | | | |"


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- whole runs -->\nold\n<!-- /whole runs -->\nafter\n")
    write_between_marks(page, "whole runs", "a\nb")
    assert between_marks(page, "whole runs") == "a\nb"


def test_every_net_of_the_table_is_configured() -> None:
    assert [net.config.name for net in nets()] == [name for names in ROOTS.values() for name in names]
    assert {net.config.deployment_target for net in nets() if net.root.name == "scale"} == {"iOS18"}


def test_the_largest_process_counts_and_a_failure_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hungry = (
        "import os, sys, time; held = bytearray(b'x') * 200_000_000\n"
        "while not os.path.exists('seen'): time.sleep(0.01)\n"
        "sys.exit('ended')"
    )
    largest = watched._largest

    def seen(tree: psutil.Process) -> int:
        held = largest(tree)
        if held > 200_000_000:
            (tmp_path / "seen").touch()
        return held

    monkeypatch.setattr(watched, "_largest", seen)
    found = watch([sys.executable, "-c", hungry], tmp_path)
    assert found.peak_bytes > 200_000_000
    assert found.failure == "exit code 1: start ended"
    assert watch([sys.executable, "-c", "raise SystemExit(1)"], tmp_path, done=(0, 1)).failure == ""
